# bringc STUDYC: in a clone of main with data/cifar10, put the finished runs of study C with 100 epochs, from the checkout STUDYC they were
# trained in, in place and record them. SEEDS, such as "0 1 2", says which; params.yaml's list of seeds is written to match.
set -e
cd studies/resnet18
sed -i 's/^epochs: 1$/epochs: 100/' params.yaml
python - $SEEDS <<'P'
import pathlib, re, sys
file = pathlib.Path("params.yaml")
seeds = "".join(f"  - {seed}\n" for seed in sys.argv[1:])
file.write_text(re.sub(r"(?m)^seeds:\n(  - \d+\n)+", "seeds:\n" + seeds, file.read_text()))
P
for s in $SEEDS; do for r in plain18-$s resnet18-$s; do
  rm -rf data/models/$r; mkdir -p data/models reports/runs/$r; cp -r $1/studies/resnet18/data/models/$r data/models/$r; chmod u+w data/models/$r/*
  cp $1/studies/resnet18/reports/runs/$r/environment.json reports/runs/$r/
  dvc commit -q -f train@$r
done; done
dvc repro --pull --allow-missing dvc.yaml
cd ../..
python -m pipeline.tools.push_weights
python -m pipeline.tools.readme
git add -A
python -m pipeline.tools.check

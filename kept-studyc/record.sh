# bring-in MODELS: in a clone of main with data/cifar10, after bring.patch: put MODELS/<run>/{weights,history} and MODELS/<run>.json in place and record
set -e
for r in plain20-0 resnet20-0 plain56-0 resnet56-0; do
  rm -rf data/models/$r; mkdir -p data/models; cp -r $1/$r data/models/$r; chmod u+w data/models/$r/*; cp $1/$r.json reports/runs/$r/environment.json
  dvc commit -q -f train@$r
done
dvc repro -P --pull --allow-missing
python -m pipeline.tools.push_weights
python -m pipeline.tools.readme
git add -A
python -m pipeline.tools.check

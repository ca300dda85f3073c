"""CIFAR-10 to a table, figures and a report on plain and residual networks; one stage, one script (see dvc.yaml)."""

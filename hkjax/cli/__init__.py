"""The command `hkjax`: its verbs, and the code they share with train.py and evaluate.py."""

"""The command `hkjax`: its verbs, and what they share with train.py and evaluate.py."""

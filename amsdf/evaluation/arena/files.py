"""The names of the files of a submission."""

SCORES, META, SUBMISSION, RESULT = "scores.txt", "meta.yaml", "submission.yaml", "result.yaml"
ADAPTER, CARD = "adapter.py", "README.md"
FILES = (SCORES, META, SUBMISSION, RESULT, ADAPTER, CARD)

# For people who work on photoarc; users need quickstart.py only.
PYTHON ?= .venv/bin/python

.PHONY: check test property format
check: ## what CI checks
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -n auto
test:
	$(PYTHON) -m pytest -n auto
property: ## the long tests: every flip, every cut, large pictures
	$(PYTHON) -m pytest -m slow
format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

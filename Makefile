# make run: the app at localhost:8501. make test: the tests. Both set up what they need in .venv.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint screenshot clean

run: .venv/app
	$(BIN)/python -m streamlit run app.py

test: .venv/dev
	$(BIN)/python -m pytest -n auto

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

screenshot: .venv/dev
	$(BIN)/python -m tests.browser.screenshot docs/app.png

clean:
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/app: requirements.txt .venv/bin/python
	$(BIN)/python -m pip install -r requirements.txt
	touch $@

.venv/dev: requirements-dev.txt requirements-onnx.txt requirements.txt .venv/bin/python
	$(BIN)/python -m pip install -r requirements-dev.txt
	touch $@

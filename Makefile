# On a fresh machine, `make lab` or `make test` is all you need. `make` lists the rest.

PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/ready
# TORCH=cpu takes PyTorch without CUDA, which Linux gets otherwise: uv knows where that lies.
UV := $(shell command -v uv 2>/dev/null)
ifneq ($(UV)$(TORCH),)
INSTALL = $(if $(UV),"$(UV)",$(PY) -m uv) pip install --python $(PY) $(if $(TORCH),--torch-backend "$(TORCH)" --reinstall-package torch --reinstall-package torchvision)
else
INSTALL = $(PY) -m pip install --disable-pip-version-check
endif
# What a shell reads from its environment it takes as it is: quotes, spaces and dollar signs too.
export COURSE := $(CURDIR)
LAB := $(PY) -m jupyterlab --ip=127.0.0.1 --ServerApp.root_dir=. \
	--LabApp.default_url=/lab/tree/work/01_pca_svd.ipynb
# Two processes of one thread each; more threads than cores would wait for each other. A notebook's cells stay together.
SIDE_BY_SIDE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
	$(PY) -m pytest -n 2 --dist=loadfile
NEEDED_GB := $(if $(TORCH),4,9)
ON_DEBIAN = on Debian or Ubuntu: sudo apt-get install

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST)

lab: $(READY) ## set up if needed, then open the course in JupyterLab, in copies of your own
	@$(PY) -m helpers.copies
	@$(LAB) $(if $(HEADLESS),--no-browser) $(if $(ROOT),--allow-root)

test: $(READY) ## set up if needed, then run every test and every notebook
	@# in the order of the folders: the browser's tests, which take longest, begin
	$(SIDE_BY_SIDE) --no-loadscope-reorder tests --cov=helpers --cov-fail-under=95
	$(SIDE_BY_SIDE) -p tests.notebooks.pictures notebooks

test-all: test ## and what takes longer: the path of 45 minutes of each chapter by itself
	$(SIDE_BY_SIDE) --dist=load tests -m thorough

run: $(READY) ## execute all notebooks and save them with their outputs
	$(PY) -m helpers.notebooks

portable: $(READY) ## run every notebook as other processors would (an hour)
	$(PY) -m tests.notebooks.portable

check: ## say what is wrong with the set-up, if anything, and how to mend it
	@if [ -x $(PY) ]; then $(PY) -m helpers.setup_check; else $(PYTHON) -m helpers.setup_check; fi

oldest: $(READY) ## test with the lowest versions that pyproject.toml admits
	$(PYTHON) -m venv build/oldest
	build/oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	build/oldest/bin/uv pip install --python build/oldest/bin/python --resolution lowest-direct --editable '.[test]'
	build/oldest/bin/python -m pytest tests --ignore=tests/browser --ignore=tests/notebooks
	@# its text alone: an older matplotlib sets the letters of a picture elsewhere
	build/oldest/bin/python -m pytest notebooks/01_pca_svd.ipynb

data: $(READY) ## bring all 60,000 training images of Fashion-MNIST
	@$(PY) -m helpers.fashion_mnist fetch

slides: .venv/site ## make decks for a lecture in build/slides/, from the saved notebooks
	@$(PY) -m helpers.slides

pages: .venv/site ## make the course as a folder of pages in build/pages/
	@$(PY) -m helpers.pages

benchmark: $(READY) ## measure speed against a peer and save it (after make data)
	$(PY) -m tests.benchmarks

lint: $(READY) ## check format and style
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

clean: ## remove the environment and what tools left behind (not data)
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage
	find . \( -name __pycache__ -o -name .ipynb_checkpoints -o -name '.incoming-*' \) -prune -exec rm -rf {} +

# Jupyter's own browser needs a display (macOS always has one), and root needs to be let in.
HEADLESS = $(shell [ "$$(uname)" = Darwin ] || [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || echo yes)
ROOT = $(shell [ "$$(id -u)" != 0 ] || echo yes)

# An environment knows its own path: one that was moved with its folder is made again; so is one whose PyTorch
# is another than the one asked for.
ifneq ($(shell sed -n 1p $(READY) 2>/dev/null),$(COURSE))
.PHONY: $(READY)
else ifneq ($(TORCH),)
ifneq ($(shell sed -n 2p $(READY)),$(TORCH))
.PHONY: $(READY)
endif
endif

$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON); $(ON_DEBIAN) python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make lab PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) can't make environments; $(ON_DEBIAN) python3-venv"; exit 1; }
	@free=$$(df -Pk . | awk 'NR == 2 {print int($$4 / 1000000)}'); [ -d .venv ] || [ $$free -ge $(NEEDED_GB) ] || { \
		echo "The disk has $$free GB left; torch and the rest take up to $(NEEDED_GB). Make room, or clone the course to another disk."; exit 1; }
	$(PYTHON) -m venv .venv
	$(if $(UV),,$(if $(TORCH),$(PY) -m pip install --quiet --disable-pip-version-check uv))
	$(INSTALL) --editable '.[test]'
	@$(PY) -c 'import cv2' || { echo "OpenCV misses a system library (named above); $(ON_DEBIAN) libgl1 libglib2.0-0"; exit 1; }
	@# no pop-up with news in front of a class
	@$(PY) -m jupyterlab.labextensions disable --level=sys_prefix @jupyterlab/apputils-extension:announcements 2>/dev/null
	@# any JupyterLab of this environment saves notebooks as the course does: without live views
	@mkdir -p .venv/etc/jupyter && cp helpers/assets/jupyter_server_config.json .venv/etc/jupyter/
	@printf '%s\n%s\n' "$$COURSE" "$(TORCH)" > $(READY)

.venv/site: pyproject.toml | $(READY)
	$(INSTALL) --editable '.[site]'
	@touch $@

.PHONY: help lab test test-all run portable check oldest data slides pages benchmark lint clean

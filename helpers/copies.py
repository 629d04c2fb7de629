"""The reader's own copies of the notebooks in work/, which no update and no command overwrites.

Chapters are run and exercises are filled there, so the files of the course stay as they came, and
``git pull`` goes through. A copy whose cells the reader has not edited follows the course; one that was
edited stays.
"""

import hashlib
import json
import sys
from functools import cache
from pathlib import Path

import nbformat

from helpers.storage import ROOT, read_json, write_json, write_whole
from helpers.terminal import show_unknown_letters

GIVEN = (
    ".given.json"  # what each copy was made from: digests of its cells' sources and of its bytes
)
FOLDERS = ("", "exercises", "solutions", "covers")


def digest(path: Path) -> str:
    """SHA-256 of what a reader edits: the sources of a notebook's cells, or the bytes of another file.

    Outputs don't count: running a notebook is no edit. What can't be read as a notebook is all bytes.
    """
    content = path.read_bytes()
    if path.suffix == ".ipynb":
        try:
            cells = nbformat.reads(content.decode(), as_version=4).cells
            content = json.dumps([[c.cell_type, c.source] for c in cells]).encode()
        except (ValueError, AttributeError, nbformat.ValidationError):
            pass
    return hashlib.sha256(content).hexdigest()


@cache
def this_kernel() -> dict[str, dict]:
    """The kernel and the Python of this environment, as JupyterLab writes them into a notebook."""
    from ipykernel.ipkernel import IPythonKernel
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    named = {"display_name": spec.display_name, "language": spec.language, "name": "python3"}
    return {"kernelspec": named, "language_info": IPythonKernel.language_info}


def for_this_kernel(content: bytes) -> bytes:
    """A notebook that JupyterLab opens without marking it as changed: it has nothing to write into it."""
    notebook = nbformat.reads(content.decode(), as_version=4)
    notebook.metadata.update(this_kernel())
    return (nbformat.writes(notebook) + "\n").encode()


def update_copies(notebooks: Path, copies: Path) -> list[str]:
    """Copy notebooks that are not there yet, or are there as they were given; edited ones stay.

    Parameters
    ----------
    notebooks : Path
        The course's folder of notebooks.
    copies : Path
        The reader's folder; made if it is not there.

    Returns
    -------
    list of str
        Copies that the course has a newer version of and that stay, as the reader has edited them.

    Raises
    ------
    StorageError
        If the record of what was given is damaged.
    """
    record = copies / GIVEN
    mend = "Delete it: copies that you edited stay."
    given = read_json(record, mend) if record.exists() else {}
    kept = []
    for source in (f for folder in FOLDERS for f in sorted((notebooks / folder).glob("*.*"))):
        name, content = source.relative_to(notebooks).as_posix(), source.read_bytes()
        copy, new = copies / name, [digest(source), hashlib.sha256(content).hexdigest()]
        known = {new[0], given.get(name, new)[0]}
        if copy.exists() and given.get(name) == new:
            continue
        if copy.exists() and digest(copy) not in known:
            kept.append(name)
            continue
        write_whole(copy, for_this_kernel(content) if source.suffix == ".ipynb" else content)
        given[name] = new
    write_json(record, given)
    return kept


def main() -> None:
    """Bring work/ up to date and say what stays as the reader has it."""
    copies = ROOT / "work"
    for name in update_copies(ROOT / "notebooks", copies):
        print(
            f"work/{name} stays as you edited it; the course has a newer version. To get that one too, "
            "rename yours.",
            file=sys.stderr,
        )


if __name__ == "__main__":
    show_unknown_letters()
    main()

"""What is left out of a notebook when it is saved."""

LIVE_VIEW = "application/vnd.jupyter.widget-view+json"


def drop_live_views(notebook: dict) -> None:
    """Remove live views from a notebook's outputs, in place; what else they show stays.

    A live view is worth nothing without the kernel that made it: a notebook saved with it and
    opened again shows an error where its picture was. A view that has no other form is kept.

    Parameters
    ----------
    notebook : dict
        A notebook in nbformat 4.
    """
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            forms = output.get("data", {})
            if set(forms) - {LIVE_VIEW, "text/plain"}:
                forms.pop(LIVE_VIEW, None)


def on_save(model: dict, **_) -> None:
    """Jupyter's hook before it writes a file: live views are dropped from notebooks."""
    if model["type"] == "notebook" and model.get("content", {}).get("nbformat") == 4:
        drop_live_views(model["content"])

"""Read by `jupyter lab` when it is started in this folder."""

from helpers.saving import on_save

c = get_config()  # noqa: F821 (Jupyter provides it)

# A notebook that was run, saved and opened again still shows its pictures.
c.FileContentsManager.pre_save_hook = on_save

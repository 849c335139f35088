"""Links of pages to lines of hkjax's source, such as ../hkjax/shapes.py#L12: in the site they lead to the reference."""

from pathlib import Path

from docutils.nodes import literal
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).parents[1]


class SourceLinks(SphinxTransform):
    """Replaces links to files of hkjax, which would be downloads, by references to what the link's text names."""

    default_priority = 10

    def apply(self) -> None:
        """Reads the module from the link's target, and the function from the last word of its text."""
        for node in list(self.document.findall(download_reference)):
            path = (Path(self.env.doc2path(self.env.docname)).parent / node["reftarget"]).resolve()
            if path.suffix == ".py" and path.is_relative_to(ROOT / "hkjax"):
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                target = f"{module}.{node.astext().rpartition('.')[2]}"
                reference = pending_xref(
                    "", literal("", node.astext()), refdomain="py", reftype="obj", reftarget=target, refexplicit=True
                )
                reference["refdoc"] = self.env.docname
                node.replace_self(reference)


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the transform."""
    app.add_transform(SourceLinks)
    return {"parallel_read_safe": True}

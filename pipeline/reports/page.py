"""A report as one HTML page that needs no network: its Markdown, and plots below it."""

from collections.abc import Iterable
from html import escape

from markdown_it import MarkdownIt

STYLE = """
:root{color-scheme:light dark;--c0:#1668b3;--c1:#c25400;--c2:#23812f;--c3:#9b2d86;--c4:#80690a;--c5:#666}
@media(prefers-color-scheme:dark){:root{--c0:#6cb6ff;--c1:#ffa657;--c2:#7ee787;--c3:#f0a0df;--c4:#e3c95a;--c5:#aaa}}
body{font:15px/1.5 system-ui,sans-serif;max-width:1500px;margin:2em auto;padding:0 1em}
.wide{overflow-x:auto;margin:1em 0}@media print{.wide{overflow-x:visible}}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:4px 9px;border-bottom:1px solid #8885;text-align:left}
th,td[style*=right]{white-space:nowrap}td:first-child{min-width:15em}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,480px),1fr));gap:1.5em}
figure{margin:0}svg{width:100%;height:auto;font:11px system-ui,sans-serif;fill:currentColor}
.title{font-size:13px;font-weight:600}.grid{stroke:#8884;fill:none}
.line{fill:none;stroke-width:1.8}
polyline.c0{stroke:var(--c0)}polyline.c1{stroke:var(--c1);stroke-dasharray:6 3}
polyline.c2{stroke:var(--c2);stroke-dasharray:2 3}polyline.c3{stroke:var(--c3);stroke-dasharray:9 3 2 3}
polyline.c4{stroke:var(--c4);stroke-dasharray:12 4}polyline.c5{stroke:var(--c5);stroke-dasharray:1 2}
.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}
polyline{fill:none!important}
.legend{font-size:12px;padding-left:1.2em;margin:.2em 0}
li.c0{color:var(--c0)}li.c1{color:var(--c1)}li.c2{color:var(--c2)}li.c3{color:var(--c3)}li.c4{color:var(--c4)}
li.c5{color:var(--c5)}
"""


def html_page(title: str, markdown: str, plots: Iterable[str]) -> str:
    """Return the page of a report in Markdown, no HTML in which is taken for HTML, and of plots as SVG."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    # No text can hold a tag here: what becomes one in a text is escaped.
    body = body.replace("<table>", '<div class="wide" role="group" aria-label="table" tabindex="0"><table>')
    body = body.replace("</table>", "</table></div>")
    figures = "".join(f"<figure>{one}</figure>" for one in plots)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f'<body>{body}<h2>Plots</h2><div class="plots">{figures}</div></body></html>\n'
    )

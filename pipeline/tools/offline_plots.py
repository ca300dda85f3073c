"""Set-up, once a clone: let `dvc plots` write pages that need no network.

    python -m pipeline.tools.offline_plots

DVC's page loads Vega from a CDN. This writes .dvc/offline_page.html with Vega's scripts inside, taken from the package
vl-convert-python, and makes this clone's DVC use it. Neither is committed: the scripts are other people's.
"""

from pathlib import Path

import vl_convert
from dvc.repo import Repo

from pipeline.stage import write

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>DVC plots</title>
<link rel="icon" href="data:,">
<script>{scripts}</script>
<style>body {{ font-family: system-ui, sans-serif; margin: 2rem; }}</style>
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def main() -> None:
    with Repo() as repo:
        page = Path(repo.dvc_dir) / "offline_page.html"
        scripts = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version="5.20")
        write(page, PAGE.format(scripts=scripts.replace("</script", "<\\/script")))
        with repo.config.edit("local") as config:
            config.setdefault("plots", {})["html_template"] = page.name


if __name__ == "__main__":
    main()

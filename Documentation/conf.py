# SPDX-License-Identifier: GPL-2.0
# Sphinx configuration. The kernel-doc comments of the layer are read by the kernel's own extension and script,
# from the tree that scripts/source unpacks; scripts/docs starts this.
import os
import re
import sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
kernel = os.environ["KERNEL_SOURCE"]
os.environ["srctree"] = kernel  # where the extension of 7.3 finds its parser

sys.path.insert(0, os.path.join(kernel, "Documentation", "sphinx"))
extensions = ["kerneldoc", "automarkup"]

kerneldoc_bin = os.path.join(kernel, "scripts", "kernel-doc")
kerneldoc_srctree = top
kerneldoc_verbosity = 1

project = "drm-prime-layer"
copyright = "the authors of drm-prime-layer, GPL-2.0"
with open(os.path.join(top, "NEWS.md"), encoding="utf-8") as news:
    version = release = re.search(r"^## (\S+)", news.read(), re.M).group(1)

primary_domain = "c"
highlight_language = "none"
# Names of the layer must resolve; those of the rest of the kernel are documented elsewhere.
nitpicky = True
ours = r"dma_buf|drm_prime|drm_gem_(prime|dmabuf|map_|unmap_)|get_dma_buf|DEFINE_DMA_BUF"
nitpick_ignore_regex = [
    (r"c:.*", rf"(?!(struct )?({ours})).*"),
    # Private to one file, or part of another header of the kernel.
    (r"c:.*", r"dma_buf_(poll_cb_t|sysfs_entry|test_.*)"),
]

html_theme = "alabaster"
html_theme_options = {
    "description": "dma-buf and DRM GEM PRIME for Linux 6.12, written from scratch",
    "fixed_sidebar": True,
    "page_width": "1100px",
    "sidebar_width": "240px",
    "show_powered_by": False,
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_copy_source = False
html_show_sphinx = False

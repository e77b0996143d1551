"""The codes are read as a camera sees them: by day and by night, out of focus, from further away, at an angle."""

from __future__ import annotations

from io import BytesIO

import pytest
import zxingcpp
from browsing import DESKTOP
from PIL import Image, ImageFilter

SEEN = {
    "sharp": lambda picture: picture,
    "out of focus": lambda picture: picture.filter(ImageFilter.GaussianBlur(1)),
    "far away": lambda picture: picture.resize((picture.width * 3 // 5, picture.height * 3 // 5), Image.Resampling.BILINEAR),
    "at an angle": lambda picture: picture.rotate(12, expand=True, fillcolor="white", resample=Image.Resampling.BILINEAR),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("method", ["ETH", "USDC", "SOL", "USDC-SOL"])
def test_every_code_of_every_method_is_read_in_every_way_of_looking(pages, town, method, theme):
    invoice = town.invoice(method)
    option = town.option(invoice, method)
    page = pages.open(invoice["payment_url"], DESKTOP.but(theme=theme))
    meant = {"amount": option["payment_uri"], "address": option["destination"], "page": invoice["payment_url"]}
    kinds = [each.removeprefix("code-") for each in page.page.locator("input[name=code]").evaluate_all("found => found.map((each) => each.id)")]
    assert kinds[0] == ("address" if method == "USDC" else "amount")
    for kind in kinds:
        page.page.locator(f"label[for=code-{kind}]").click()
        drawn = page.page.locator(f"[data-code={kind}] svg")
        picture = Image.open(BytesIO(drawn.screenshot())).convert("RGB")
        for way, look in SEEN.items():
            read = zxingcpp.read_barcode(look(picture))
            assert read is not None, (kind, way)
            assert read.text == meant[kind], (kind, way)

"""The addresses of merchants' stylesheets and logos: public, as everybody who is asked to pay sees them, and named after what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from litestar import Request, Response, get
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

from pepay_core.domain.errors import NotFound
from pepay_core.domain.ids import MERCHANT, MerchantId, is_id
from pepay_core.web.checkout.themes import fingerprint, theme
from pepay_core.web.operations import ANYBODY
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from pepay_core.runtime import Runtime

_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


@get("/theme/{merchant:str}/{name:str}", opt={"access": ANYBODY})
async def themed(request: Request[Any, Any, Any], merchant: FromPath[str], name: FromPath[str]) -> Response[Any]:
    """Return the stylesheet or the logo of a merchant, under its present name only."""
    runtime = cast("Runtime", request.app.state.runtime)
    if not is_id(MERCHANT, merchant):
        raise NotFound("there is no such merchant")
    async with within_deadline():
        if not name.endswith(".css"):
            image = await runtime.logos.get(merchant, name)
            return Response(image.data, media_type=image.media_type, headers=_FOR_EVER)
        async with runtime.store.read() as tx:
            css = theme(merchant, (await tx.merchants.get(MerchantId(merchant))).branding).css
    if not css or name != f"{fingerprint(css)}.css":
        raise NotFound("there is no such stylesheet")
    return Response(css, media_type="text/css", headers=_FOR_EVER)


HANDLERS: Final = (themed,)

"""There is one rule for mail addresses: who can sign in by one can be written to at it, and the other way round."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.mails import check_mail_address

GOOD = {
    "ada@example.com": "ada@example.com",
    "Ada.Love-Lace+shop@Example.COM": "Ada.Love-Lace+shop@example.com",
    "ada@b\u00fccher.example": "ada@xn--bcher-kva.example",
    "ada@B\u00dcCHER\u3002example": "ada@xn--bcher-kva.example",
    "admin@localhost": "admin@localhost",
    "admin@LocalHost": "admin@localhost",
    "a" * 64 + "@example.com": "a" * 64 + "@example.com",
}
BAD = [
    "", "ada", "@example.com", "ada@", "ada@shop", "ada@localhost.", "ada@sub.localhost.", "a b@example.com", "a@b@c.example", "ada@example..com",
    "ada@.example.com", ".ada@example.com", "ada.@example.com", "ada@[127.0.0.1]", '"ada"@example.com', "ada,eve@example.com", "<ada@example.com>",
    "jos\u00e9@example.com", "\u0430da@example.com", "ada@exam\u00adple .com", "ada@\ud800.example", "ada\n@example.com",
    "ada@example.com\r\nBcc: eve",
    "a" * 65 + "@example.com", "ada@" + "b" * 64 + ".example", "ada@" + "b." * 124 + "example", "ada@" + "\u00fc." * 60 + "example",
]  # fmt: skip


LETTER = {"link": "https://pay.example.com/"}


async def test_who_has_an_account_by_an_address_can_be_written_to(world):
    for typed, written in GOOD.items():
        user = await world.user(typed)
        await world.store.run(lambda tx, typed=typed: world.mailing.queue(tx, typed, "password_reset", LETTER))
        world.clock.jump(timedelta(seconds=1))
        assert world.people.accounts.email_of(user) == check_mail_address(written) == written
        for spelling in (typed, written, f" {written.upper()} "):
            assert await world.people.accounts.by_email(spelling) == user, spelling
        await world.store.run(lambda tx, user=user: tx.users.save(replace(user, email_digest=user.id)))  # leaves the address to the next one
    assert [to for to, *_ in await world.letters()] == list(GOOD.values())


async def test_what_mail_does_not_take_is_nobodys_address(world):
    taken = []
    for typed in BAD:
        for act in (world.user(typed), world.store.run(lambda tx, typed=typed: world.mailing.queue(tx, typed, "password_reset", LETTER))):
            try:
                await act
                taken.append(typed)
            except InvalidInput:
                pass
        assert await world.people.accounts.by_email(typed) is None
    assert taken == []

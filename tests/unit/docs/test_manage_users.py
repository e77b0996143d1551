"""The table of roles and the figures of the guide are those of the code."""

from __future__ import annotations

from documentation import code, page

from pepay_core import passwords
from pepay_core.domain.merchants import SCOPES
from pepay_core.domain.roles import ROLES, Role
from pepay_core.services.people import invitations, recovery, resets, sessions, slowing

USERS = page("how-to/manage-users.md")


def test_the_table_of_roles_is_the_one_that_holds():
    rows = USERS.rows("What a role may do")

    assert [code(row[0]) for row in rows] == list(SCOPES)
    for column, role in enumerate(Role, 1):
        assert {code(row[0]) for row in rows if row[column] == "yes"} == ROLES[role], role
        assert {row[column] for row in rows} <= {"yes", ""}


def test_the_figures_are_those_of_the_code():
    said = " ".join(USERS.text.split())

    assert f"{passwords.SHORTEST} to {passwords.LONGEST} characters" in said
    assert (passwords.MEMORY_KIB, passwords.PASSES) == (19 * 1024, 2)
    assert "(19 MiB, two passes)" in said
    assert (slowing.ACCOUNT.free, slowing.ACCOUNT.most, slowing.ADDRESS.free, slowing.ADDRESS.most) == (5, 60, 20, 900)
    assert (sessions.IDLE.total_seconds(), sessions.ABSOLUTE.total_seconds()) == (30 * 60, 12 * 3600)
    assert (invitations.VALID.days, resets.VALID.total_seconds(), recovery.HOW_MANY) == (7, 1800, 10)

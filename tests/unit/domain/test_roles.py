"""The table of roles, and who may change whom."""

from __future__ import annotations

import pytest

from pepay_core.domain.errors import Forbidden
from pepay_core.domain.merchants import KEY_SCOPES, SCOPES
from pepay_core.domain.roles import ROLES, Role, insist_may_change, insist_may_give, is_above

RANK = list(reversed(Role))


def allows(check, *args, **options):
    try:
        check(*args, **options)
    except Forbidden:
        return False
    return True


def test_every_role_has_scopes_that_exist():
    assert set(ROLES) == set(Role)
    assert all(scopes <= set(SCOPES) for scopes in ROLES.values())


def test_the_table_says_who_may_do_what():
    read = {"invoices:read", "refunds:read", "merchant:read"}
    assert ROLES[Role.VIEWER] == read
    assert ROLES[Role.ACCOUNTANT] == read | {"reports:read", "wallets:read", "refunds:write"}
    assert ROLES[Role.DEVELOPER] == read | {
        *("invoices:write", "webhooks:read", "webhooks:write", "keys:read", "keys:write", "wallets:read", "reports:read"),
    }
    assert ROLES[Role.ADMIN] == ROLES[Role.OWNER] == set(SCOPES)


def test_only_owners_and_admins_touch_where_money_goes_and_who_is_a_member():
    for scope in ("wallets:write", "merchant:write", "members:read", "members:write", "audit:read"):
        assert {role for role, scopes in ROLES.items() if scope in scopes} == {Role.OWNER, Role.ADMIN}


def test_no_key_says_who_is_a_member():
    assert set(SCOPES) - set(KEY_SCOPES) == {"members:read", "members:write"}


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        ROLES[Role.VIEWER] = frozenset(SCOPES)


@pytest.mark.parametrize("giver", Role)
@pytest.mark.parametrize("other", Role)
def test_a_role_is_given_and_taken_by_owners_and_admins_up_to_their_own(giver, other):
    allowed = giver in {Role.OWNER, Role.ADMIN} and RANK.index(giver) >= RANK.index(other)

    assert allows(insist_may_give, giver, other) is allowed
    assert allows(insist_may_change, giver, other, is_self=False) is allowed
    assert not allows(insist_may_change, giver, other, is_self=True)
    assert is_above(giver, other) is (RANK.index(giver) > RANK.index(other))

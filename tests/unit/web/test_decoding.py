from __future__ import annotations

import json
import time

import msgspec
import pytest
from litestar.datastructures import MultiDict

from pepay_core.domain.errors import InvalidAmount, InvalidInput
from pepay_core.domain.jsontext import encode
from pepay_core.web.decoding import MAX_METADATA, amount_text, decode_body, decode_query, metadata_object
from pepay_core.web.problems import InvalidJson, WrongMediaType
from pepay_core.web.schemas import Amount, AnyObject, Paging, Sent


class Inner(Sent):
    name: str


class Body(Sent):
    amount: Amount = msgspec.field(default_factory=msgspec.Raw)
    metadata: AnyObject = msgspec.field(default_factory=msgspec.Raw)
    items: list[Inner] = msgspec.field(default_factory=list)
    text: str | None = None


def decode(body: bytes) -> Body:
    return decode_body(body, "application/json; charset=utf-8", Body)


@pytest.mark.parametrize(
    ("body", "error", "field"),
    [
        (b"", InvalidJson, None),
        (b"{", InvalidJson, None),
        (b"\xff", InvalidJson, None),
        (b"\xef\xbb\xbf{}", InvalidJson, None),
        (b"{}{}", InvalidJson, None),
        (b"{'a':1}", InvalidJson, None),
        (b'{"text":"\xed\xa0\x80"}', InvalidJson, None),
        (b'{"amount":NaN}', InvalidJson, "amount"),
        (b'{"metadata":{"deep":[1,-Infinity]}}', InvalidJson, "metadata.deep.1"),
        (b'{"text":"a","text":"b"}', InvalidJson, "text"),
        (b'{"metadata":{"x":1,"x":2}}', InvalidJson, "x"),
        (b'{"metadata":' + b"[" * 100_000, InvalidJson, None),
        (b'{"metadata":' + b'{"a":' * 40 + b"1" + b"}" * 41, InvalidJson, None),
        (b"[]", InvalidInput, None),
        (b'"text"', InvalidInput, None),
        (b"null", InvalidInput, None),
        (b'{"other":1}', InvalidInput, "other"),
        (b'{"items":[{"name":"a"},{"name":1}]}', InvalidInput, "items.1.name"),
        (b'{"items":[{}]}', InvalidInput, "items.0.name"),
        (b'{"items":[{"name":"a","nome":"b"}]}', InvalidInput, "items.0.nome"),
        (b'{"text":1}', InvalidInput, "text"),
        (b'{"text":"\\u0000"}', InvalidInput, "text"),
        (b'{"metadata":{"a":["\\ud800"]}}', InvalidInput, "metadata.a.0"),
        (b'{"metadata":{"\\u0000":1}}', InvalidInput, "metadata.\\x00"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_the_name_of_the_field(body, error, field):
    with pytest.raises(error) as caught:
        decode(body)
    assert caught.value.field == field


def test_brackets_inside_strings_are_not_depth():
    assert decode(json.dumps({"text": "[{" * 100}).encode()).text == "[{" * 100


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 32_000, b'{"text":"' + b"\\" * 60_001, b"[" * 65_000, b'"' * 65_001])
def test_no_body_takes_more_than_a_moment(body):
    began = time.perf_counter()
    with pytest.raises(InvalidJson):
        decode(body)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"])
def test_only_json_is_taken_for_json(content_type):
    with pytest.raises(WrongMediaType):
        decode_body(b"{}", content_type, Body)


@pytest.mark.parametrize("written", ["49.99", "0.1234567890123456789"[:20], "0", "1000000000000000000000000000000", "0.10"])
def test_an_amount_is_what_was_written_as_string_or_as_number(written):
    for token in (f'"{written}"', written):
        assert amount_text(decode(b'{"amount":' + token.encode() + b"}").amount, "amount") == written


@pytest.mark.parametrize(
    "token",
    [
        '"NaN"', '"Infinity"', '"1_000"', '" 5"', '"5 "', '"+5"', '"-5"', "-5", "1e3",
        "1E-2", '"1e3"', '"0x10"', '"1,5"', '"01"', '".5"', '"5."', '""',
        '"' + "9" * 40 + '"', "9" * 40, "0." + "1" * 19, '"\\u0664"', '"\\uff14"', "true", "[]", "{}", '["1"]', '"1\\n"',
    ],
)  # fmt: skip
def test_everything_else_is_no_amount(token):
    with pytest.raises(InvalidAmount) as caught:
        amount_text(decode(b'{"amount":' + token.encode() + b"}").amount, "amount")
    assert caught.value.field == "amount"


@pytest.mark.parametrize("token", ["null", None])
def test_an_amount_may_be_left_out(token):
    assert amount_text(decode(b'{"amount":null}' if token else b"{}").amount, "amount") is None


def test_metadata_comes_back_as_it_was_sent():
    written = b'{"n":123456789012345678901234567890,"f":0.12345678901234567890,"t":1.10,"e":"\xe2\x82\xac","l":[null,true,{}]}'
    assert encode(metadata_object(decode(b'{"metadata":' + written + b"}").metadata)) == written


@pytest.mark.parametrize("token", [b"[]", b'"text"', b"1", b'{"a":"' + b"x" * MAX_METADATA + b'"}', b'{"a":1e99999999999999999999}'])
def test_metadata_is_an_object_of_a_bounded_size(token):
    with pytest.raises(InvalidInput) as caught:
        metadata_object(decode(b'{"metadata":' + token + b"}").metadata)
    assert caught.value.field == "metadata"


@pytest.mark.parametrize(
    ("query", "field"), [({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"limit": "ten"}, "limit"), ({"limit": ""}, "limit")]
)
def test_a_query_is_checked_by_its_schema(query, field):
    with pytest.raises(InvalidInput) as caught:
        decode_query(MultiDict(query), Paging)
    assert caught.value.field == field


def test_a_parameter_that_is_given_twice_is_refused_and_an_unknown_one_ignored():
    assert decode_query(MultiDict([("limit", "5"), ("utm", "a"), ("utm", "b")]), Paging).limit == 5
    with pytest.raises(InvalidInput, match="twice"):
        decode_query(MultiDict([("limit", "5"), ("limit", "6")]), Paging)

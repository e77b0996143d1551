"""Nodes that lack something, for the proxy that stands before a real one."""

from __future__ import annotations


def without(*methods, code=-32601, message="the method does not exist/is not available"):
    """Return what a node does that lacks some methods."""

    def tamper(calls, answers):
        for answer in answers:
            if calls[answer["id"]]["method"] in methods:
                answer.pop("result", None)
                answer["error"] = {"code": code, "message": message}
        return answers

    return tamper

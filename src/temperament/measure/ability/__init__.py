"""Ability: the tasks of lm-evaluation-harness, asked of any subject under any edit.

`likelihood` and `writing` answer its three kinds of request and know nothing of it; `harness` is the bridge, and the
only place where it is imported; `evaluation` keeps what came, and `comparison` puts two evaluations side by side.
"""

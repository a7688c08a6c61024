"""Runs to make pages of, and what stands on them."""

import base64
import json

import jax
import numpy as np

from neurito import Run, Training
from neurito.models import Layout
from neurito.models.fitted import Fitted


def started(specification, trials):
    """A run of a model as it is before a fit."""
    layout = Layout.of(trials)
    return Run(Fitted(specification, layout, specification.build(layout, jax.random.key(0))), Training())


def numbers(text):
    """The data of a page's figures."""
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def unpacked(found):
    codes = np.frombuffer(base64.b64decode(found["data"]), f"<u{found['bytes']}")
    missing = np.iinfo(codes.dtype).max
    return np.where(codes == missing, np.nan, found["low"] + found["step"] * codes).reshape(found["shape"])

"""The datatypes of elements, and how each is stored."""

from typing import Literal

Datatype = Literal["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
                   "FP16", "BF16", "FP32", "FP64", "BYTES"]  # fmt: skip

# NumPy's dtype of one element. NumPy has no BF16, which is the upper half of an FP32.
LAYOUT = {"BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1",
          "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "BF16": "<u2", "FP32": "<f4",
          "FP64": "<f8"}  # fmt: skip

"""Steps on whole vectors that a loop does not become by itself, in the compiler's own instructions.

Each function here runs while a kernel is compiled: it meets the types of its arguments, and gives what writes the code.
"""
# ruff: noqa: ARG001

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

TILE_ROWS, TILE_COLUMNS = 4, 64
"""Queries and items that `tile` multiplies."""
_LANES = 16
"""Numbers of 32 bits in a register."""
_instruction: Callable[..., Any] = intrinsic
_unpacked: Callable[..., Any] = cgutils.unpack_tuple
_variable: Callable[..., Any] = cgutils.alloca_once_value
_repeated: Callable[..., Any] = cgutils.for_range
_stretch: Callable[..., Any] = cgutils.for_range_slice
_function: Callable[..., Any] = cgutils.get_or_insert_function
_WHOLE, _LONG, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
_WHOLES, _FLOATS = ir.VectorType(_WHOLE, _LANES), ir.VectorType(_FLOAT, _LANES)


def multiplies_bytes() -> bool:
    """Whether this processor has the instruction of `tile` (AVX-512 VNNI)."""
    return bool(binding.get_host_cpu_features().get("avx512vnni"))


@_instruction
def above(_: Any, score_B: Any, error_B: Any, start: Any, norm: Any, threshold: Any) -> Any:
    """Bit j says whether score_B[start + j] + norm · error_B[start + j] > threshold, for 64 items from `start` on."""

    def generated(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        score_B, error_B = (_array(context, builder, signature, given, n).data for n in (0, 1))
        score, error = (_loaded(builder, data, given[2], ir.VectorType(_FLOAT, 64)) for data in (score_B, error_B))
        more = builder.fmul(error, _everywhere(builder, given[3], 64), flags=("contract",))
        upper = builder.fadd(score, more, flags=("contract",))
        return builder.bitcast(builder.fcmp_ordered(">", upper, _everywhere(builder, given[4], 64)), _LONG)

    return types.uint64(score_B, error_B, types.intp, types.float32, types.float32), generated


@_instruction
def lowest_bit(_: Any, bits: Any) -> Any:
    """The place of the lowest bit that is set; there must be one."""

    def generated(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generated


@_instruction
def add_rows(_: Any, of_row: Any, weight_H: Any, first: Any, end: Any, row_RC: Any, column: Any, sum_B: Any) -> Any:
    """Writes Σ_h weight_H[h] · row_RC[of_row[h], column:column + 64], h from `first` to before `end`, in this order."""

    def generated(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        of, weights, rows, sums = (_array(context, builder, signature, given, n) for n in (0, 1, 4, 6))
        kind = ir.VectorType(_FLOAT, 64)
        columns = _unpacked(builder, rows.shape, 2)[1]
        total = _variable(builder, kind(None))
        with _stretch(builder, given[2], given[3], _LONG(1)) as (h, _step):
            row = builder.mul(builder.zext(_loaded(builder, of.data, h, _WHOLE), _LONG), columns)
            weight = _everywhere(builder, _loaded(builder, weights.data, h, _FLOAT), 64)
            more = builder.fmul(
                _loaded(builder, rows.data, builder.add(row, given[5]), kind), weight, flags=("contract",)
            )
            builder.store(builder.fadd(builder.load(total), more, flags=("contract",)), total)
        builder.store(builder.load(total), _place(builder, sums.data, _LONG(0), kind), align=4)
        return context.get_dummy_value()

    intp = types.intp
    return types.none(of_row, weight_H, intp, intp, row_RC, intp, sum_B), generated


@_instruction
def tile(
    _: Any,
    code_QF: Any,
    start_Q: Any,
    scale_Q: Any,
    q: Any,
    code_PW: Any,
    scale_I: Any,
    panel: Any,
    score_QB: Any,
    b: Any,
) -> Any:
    """Writes the scores of 4 queries from `q` on with the 64 items of a panel to the columns from `b` on.

    score = (start_Q + Σ_f code_QF · code_PW) · scale_I · scale_Q, the codes signed bytes of queries (F a multiple of 4)
    and unsigned ones of items, a panel laid out as F/4 × 64 items × 4 factors.
    """

    def generated(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        code_QF, start_Q, scale_Q, code_PW, scale_I, score_QB = (
            _array(context, builder, signature, given, n) for n in (0, 1, 2, 4, 5, 7)
        )
        factors, columns = (_unpacked(builder, array.shape, 2)[1] for array in (code_QF, score_QB))
        first_item = builder.mul(given[6], _LONG(TILE_COLUMNS))
        query_R = [builder.add(given[3], _LONG(r)) for r in range(TILE_ROWS)]
        lane_L = [_LONG(_LANES * n) for n in range(TILE_COLUMNS // _LANES)]
        query_codes_R = [_place(builder, code_QF.data, builder.mul(query, factors), _WHOLE) for query in query_R]
        item_codes = _place(builder, code_PW.data, builder.mul(first_item, factors), _WHOLE)
        sums_RL = []
        for query in query_R:
            start = _everywhere(builder, _loaded(builder, start_Q.data, query, _WHOLE))
            sums_RL.append([_variable(builder, start) for _ in lane_L])

        with _repeated(builder, builder.udiv(factors, _LONG(4))) as step:
            row = builder.mul(step.index, _LONG(TILE_COLUMNS))
            codes_L = [_loaded(builder, item_codes, builder.add(row, lane), _WHOLES) for lane in lane_L]
            for query_codes, sum_L in zip(query_codes_R, sums_RL, strict=True):
                four = _everywhere(builder, _loaded(builder, query_codes, step.index, _WHOLE))
                for codes, total in zip(codes_L, sum_L, strict=True):
                    multiplied = builder.call(_multiply(builder), [builder.load(total), codes, four])
                    builder.store(multiplied, total)

        for n, lane in enumerate(lane_L):
            item_scale = _loaded(builder, scale_I.data, builder.add(first_item, lane), _FLOATS)
            column = builder.add(given[8], lane)
            for query, sum_L in zip(query_R, sums_RL, strict=True):
                scale = _everywhere(builder, _loaded(builder, scale_Q.data, query, _FLOAT))
                score = builder.fmul(builder.fmul(builder.sitofp(builder.load(sum_L[n]), _FLOATS), item_scale), scale)
                place = builder.add(builder.mul(query, columns), column)
                builder.store(score, _place(builder, score_QB.data, place, _FLOATS), align=4)
        return context.get_dummy_value()

    intp = types.intp
    return types.none(code_QF, start_Q, scale_Q, intp, code_PW, scale_I, intp, score_QB, intp), generated


def _multiply(builder: Any) -> Any:
    """Adds to each of 16 sums the products of four unsigned with four signed bytes."""
    kind = ir.FunctionType(_WHOLES, [_WHOLES] * 3)
    return _function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")


def _array(context: Any, builder: Any, signature: Any, given: Any, n: int) -> Any:
    return context.make_array(signature.args[n])(context, builder, given[n])


def _place(builder: Any, data: Any, index: Any, kind: Any) -> Any:
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def _loaded(builder: Any, data: Any, index: Any, kind: Any) -> Any:
    return builder.load(_place(builder, data, index, kind), align=1)


def _everywhere(builder: Any, value: Any, lanes: int = _LANES) -> Any:
    first = builder.insert_element(ir.VectorType(value.type, lanes)(ir.Undefined), value, _WHOLE(0))
    return builder.shuffle_vector(first, first, ir.VectorType(_WHOLE, lanes)([0] * lanes))

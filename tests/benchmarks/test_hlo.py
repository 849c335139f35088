"""The reader of optimised programs, on programs whose counts are known by hand."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import hlo

# Five times: 7 rows of 3 numbers are gathered inside of a fusion, and added to a table of 100 rows.
LOOP = """
HloModule jit_f

%fused (p0: f32[100,3], p1: s32[7,1]) -> f32[7,3] {
  %p0 = f32[100,3]{1,0} parameter(0)
  %p1 = s32[7,1]{1,0} parameter(1)
  ROOT %g = f32[7,3]{1,0} gather(%p0, %p1), offset_dims={1}, index_vector_dim=1, slice_sizes={1,3},\
    metadata={op_name="jit(f)/take"}
}

%body (arg: (s32[], f32[100,3], s32[7,1])) -> (s32[], f32[100,3], s32[7,1]) {
  %arg = (s32[], f32[100,3]{1,0}, s32[7,1]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%arg), index=0
  %t = f32[100,3]{1,0} get-tuple-element(%arg), index=1
  %ids = s32[7,1]{1,0} get-tuple-element(%arg), index=2
  %rows = f32[7,3]{1,0} fusion(%t, %ids), kind=kLoop, calls=%fused, metadata={op_name="jit(f)/take"}
  %sum = f32[100,3]{1,0} scatter(%t, %ids, %rows), update_window_dims={1}, index_vector_dim=1, to_apply=%add,\
    metadata={op_name="jit(f)/transpose(add)"}
  ROOT %out = (s32[], f32[100,3]{1,0}, s32[7,1]{1,0}) tuple(%i, %sum, %ids)
}

%cond (arg: (s32[], f32[100,3], s32[7,1])) -> pred[] {
  %arg = (s32[], f32[100,3]{1,0}, s32[7,1]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%arg), index=0
  %n = s32[] constant(5)
  ROOT %lt = pred[] compare(%i, %n), direction=LT
}

ENTRY %main (t: f32[100,3], ids: s32[7,1]) -> f32[100,3] {
  %t = f32[100,3]{1,0} parameter(0)
  %ids = s32[7,1]{1,0} parameter(1)
  %zero = s32[] constant(0)
  %start = (s32[], f32[100,3]{1,0}, s32[7,1]{1,0}) tuple(%zero, %t, %ids)
  %loop = (s32[], f32[100,3]{1,0}, s32[7,1]{1,0}) while(%start), condition=%cond, body=%body
  %last = f32[100,3]{1,0} get-tuple-element(%loop), index=1
  ROOT %all = f32[100,3]{1,0} all-reduce(%last), replica_groups={{0,1}}, to_apply=%add
}
"""


def test_loops_count_by_their_trips():
    found = hlo.indices(hlo.parse(LOOP))
    assert found == {("gather row", "jit(f)/take"): 35, ("unsorted scatter row", "jit(f)/transpose(add)"): 35}


def test_known_trips_and_sorted_indices_are_believed():
    text = LOOP.replace("body=%body", 'body=%body, backend_config={"known_trip_count":{"n":"2"}}')
    text = text.replace("index_vector_dim=1, to_apply", "index_vector_dim=1, indices_are_sorted=true, to_apply")
    assert hlo.indices(hlo.parse(text))["scatter row", "jit(f)/transpose(add)"] == 14


def test_bytes_are_those_taken_and_added():
    moved = hlo.traffic(hlo.parse(LOOP))
    rows, ids, table = 7 * 3 * 4, 7 * 4, 100 * 3 * 4
    # The fusion takes rows of the table and writes them; the scatter reads ids and rows.
    assert moved["jit(f)/take"] == 5 * (rows + rows + ids)
    assert moved["jit(f)/transpose(add)"] == 5 * (ids + rows)
    assert moved[""] == 2 * table  # What the all-reduce reads and writes.


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("f32[100,3]{1,0}", 1200),
        ("f32[100,3]{1,0:T(8,128)}", 104 * 128 * 4),
        ("f32[100,3]{0,1:T(8,128)}", 8 * 128 * 4),
        ("bf16[5]{0:T(256)}", 512),
        ("f32[100,3]{1,0:T(8,128)S(1)}", 0),
        ("(s32[], pred[7])", 11),
    ],
)
def test_sizes_have_the_padding_of_tiles(kind, size):
    assert sum(hlo._sizes(kind)) == size


def test_collectives_count_with_their_bytes():
    assert hlo.collectives(hlo.parse(LOOP)) == {"all-reduce": (1, 1200.0)}
    in_fast_memory = LOOP.replace("f32[100,3]{1,0} all-reduce", "f32[100,3]{1,0:S(1)} all-reduce")
    assert hlo.collectives(hlo.parse(in_fast_memory)) == {"all-reduce": (1, 1200.0)}
    started = LOOP.replace("f32[100,3]{1,0} all-reduce", "(f32[25,3]{1,0}, f32[100,3]{1,0}) all-gather-start")
    assert hlo.collectives(hlo.parse(started)) == {"all-gather": (1, 1200.0)}


def test_a_collective_beside_other_work_counts_once():
    """It is named in three fusions, of which one starts it."""
    fusion = """
%{name} (p: f32[25,3]) -> f32[100,3] {{
  %p = f32[25,3]{{1,0}} parameter(0)
  %all = f32[100,3]{{1,0:S(1)}} all-gather(%p), dimensions={{0}}
  ROOT %done = f32[100,3]{{1,0}} custom-call(%all), custom_call_target="{target}"
}}
"""
    fusions = (("first", "AsyncCollectiveStart"), ("between", "Other"), ("last", "AsyncCollectiveDone"))
    text = "HloModule jit_f\n" + "".join(fusion.format(name=name, target=target) for name, target in fusions)
    text += "\nENTRY %main (p: f32[25,3]) -> f32[100,3] {\n  %p = f32[25,3]{1,0} parameter(0)\n"
    for name, _ in fusions:
        text += f"  %x{name} = f32[100,3]{{1,0}} fusion(%p), kind=kCustom, calls=%{name}\n"
    assert hlo.collectives(hlo.parse(text + "}\n")) == {"all-gather": (1, 1200.0)}


def test_a_program_of_this_compiler_is_read():
    def f(table, ids):
        return jax.lax.fori_loop(0, 4, lambda i, total: total + table[ids + i].sum(0), jnp.zeros(3))

    text = jax.jit(f).lower(jnp.zeros((50, 3)), jnp.zeros(11, jnp.int32)).compile().as_text()
    ((_, count),) = hlo.indices(hlo.parse(text)).items()
    assert count == 4 * 11

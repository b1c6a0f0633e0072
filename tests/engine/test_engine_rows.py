"""Rows are shared between snapshots: what did not change is the same object, and what changed is found again."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.rows import CHUNK, Rows, Table

WRITES = st.lists(st.tuples(st.integers(0, 3 * CHUNK), st.booleans()), max_size=30)


def filled(count: int) -> Table[list[int]]:
    table: Table[list[int]] = Table()
    for number in range(count):
        table.append([number])
    return table


@given(st.integers(0, 3 * CHUNK), WRITES)
def test_rows_are_what_was_written_and_each_change_is_found_once(count: int, writes: list[tuple[int, bool]]) -> None:
    table, expected = filled(count), [[number] for number in range(count)]
    before = table.rows()
    for place, new in writes:
        row = [place]
        if new or place >= len(expected):
            table.append(row)
            expected.append(row)
        else:
            table[place] = row
            expected[place] = row
    after = table.rows()
    assert list(after) == list(table) == [after[index] for index in range(len(after))] == expected
    assert len(after) == len(table) == len(expected)
    others = [index for index, row in enumerate(after) if index >= len(before) or row is not before[index]]
    assert list(after.changed_since(before)) == others
    assert list(before) == [[number] for number in range(count)], "a snapshot that was given out never changes"


def test_a_change_costs_its_own_chunk_only_and_no_change_costs_nothing() -> None:
    table = filled(4 * CHUNK)
    before = table.rows()
    assert table.rows() is before
    table[CHUNK] = [-1]
    after = table.rows()
    assert [one is other for one, other in zip(before.chunks, after.chunks, strict=True)] == [True, False, True, True]


def test_rows_read_like_a_tuple() -> None:
    rows = Rows.of(range(2 * CHUNK + 5))
    assert (rows[0], rows[-1], rows[CHUNK], rows[2:4]) == (0, 2 * CHUNK + 4, CHUNK, (2, 3))
    assert Rows.of(rows) is rows
    assert (len(Rows()), list(Rows()), bool(Rows())) == (0, [], False)

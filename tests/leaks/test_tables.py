from pathlib import Path

import polars as pl
import pytest

from shortlist.errors import ColumnError, DataError
from shortlist.leaks.tables import split_of_tables
from shortlist.tables.engine import Engine


def test_two_files_become_one_split_with_the_ids_of_both(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("userId,movieId,rating,only_here\n1,a,3,x\n2,b,4,x\n")
    pl.DataFrame({"user_id": [2, 3], "item_id": ["c", "a"], "rating": [2.5, 1.0]}).write_parquet(tmp_path / "t.parquet")
    split = split_of_tables(tmp_path / "train.csv", tmp_path / "t.parquet", engine=engine)
    assert split.train.pairs().rows() == [(1, "a"), (2, "b")]
    assert split.test.pairs().rows() == [(2, "c"), (3, "a")]
    assert split.train.user_ids.ids.to_list() == [1, 2, 3]
    assert set(split.train.events.columns) == {"user", "item", "timestamp", "weight"}
    assert engine.frame(split.test.users)["user_id"].sort().to_list() == [2, 3]


def test_a_time_on_one_side_alone_and_ids_of_two_types_are_refused(engine: Engine) -> None:
    plain = pl.DataFrame({"user_id": [1], "item_id": [1]})
    with pytest.raises(ColumnError, match="the train events have a time and the others have none"):
        split_of_tables(plain.with_columns(timestamp=1), plain, engine=engine)
    with pytest.raises(DataError, match="user_id is int64 in the train events but string"):
        split_of_tables(plain, plain.with_columns(user_id=pl.lit("1")), engine=engine)

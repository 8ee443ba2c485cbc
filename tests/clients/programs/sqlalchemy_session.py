"""SQLAlchemy with Snowflake's dialect: tables made and reflected, rows changed, transactions ended both ways.

python sqlalchemy_session.py '{"url": {...}, "connect": {...}}' prints one JSON object, a key for each step.
"""
# pyright: reportMissingImports=false

import datetime
import decimal
import json
import sys
from typing import Any

from snowflake.sqlalchemy import URL
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    Sequence,
    String,
    Table,
    create_engine,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.orm import Session, declarative_base

metadata = MetaData()
people = Table(
    "people",
    metadata,
    Column("id", Integer, Sequence("people_seq"), primary_key=True),
    Column("name", String(50), nullable=False),
    Column("amount", Numeric(10, 2)),
    Column("born", DateTime),
    Column("good", Boolean),
)
pets = Table(
    "pets",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("owner", Integer, ForeignKey("people.id")),
    Column("name", String),
)
Base: Any = declarative_base()


class Toy(Base):
    __tablename__ = "toys"
    id = Column(Integer, Sequence("toys_seq"), primary_key=True)
    name = Column(String)


def changed(engine: Engine) -> dict[str, Any]:
    born = datetime.datetime.fromisoformat("2020-01-02T03:04:05")
    first = {"name": "a", "amount": decimal.Decimal("1.50"), "born": born, "good": True}
    second = {"name": "b", "amount": None, "born": None, "good": False}
    with engine.begin() as connection:
        connection.execute(people.insert(), [first, second])
        update = people.update().where(people.c.name == "b").values(amount=2)
        touched = connection.execute(update).rowcount
        found = connection.execute(select(people).order_by(people.c.name)).fetchall()
    return {"touched": touched, "rows": [[str(value) for value in row] for row in found]}


def rolled_back(engine: Engine) -> int:
    with engine.connect() as connection:
        transaction = connection.begin()
        connection.execute(people.insert().values(name="c"))
        transaction.rollback()
        return connection.execute(select(func.count()).select_from(people)).scalar_one()


def inspected(engine: Engine) -> dict[str, Any]:
    found = inspect(engine)
    return {
        "schemas": found.get_schema_names(),
        "tables": sorted(found.get_table_names()),
        "columns": [
            [c["name"], str(c["type"]), c["nullable"]] for c in found.get_columns("people")
        ],
        "primary": found.get_pk_constraint("people")["constrained_columns"],
        "foreign": [
            [key["constrained_columns"], key["referred_table"], key["referred_columns"]]
            for key in found.get_foreign_keys("pets")
        ],
        "has": [found.has_table("people"), found.has_table("nowhere")],
        "sequences": sorted(found.get_sequence_names()),
        "views": found.get_view_names(),
    }


def reflected(engine: Engine) -> dict[str, Any]:
    again = Table("people", MetaData(), autoload_with=engine)
    return {"columns": again.columns.keys(), "primary": again.primary_key.columns.keys()}


def mapped(engine: Engine) -> list[str]:
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Toy(name="x"), Toy(name="y")])
        session.commit()
        return [toy.name for toy in session.scalars(select(Toy).order_by(Toy.id))]


def transformed(engine: Engine, statements: list[str]) -> list[Any]:
    """What dbt's adapter sends for models of each kind."""
    with engine.connect() as connection:
        return [
            [[str(cell) for cell in row] for row in connection.exec_driver_sql(sql).fetchall()]
            for sql in statements
        ]


def main() -> None:
    order = json.loads(sys.argv[1])
    engine = create_engine(URL(**order["url"]), connect_args=order["connect"])
    metadata.create_all(engine)
    metadata.create_all(engine)
    answers: dict[str, Any] = {"changed": changed(engine), "rolled back": rolled_back(engine)}
    with engine.begin() as connection:
        connection.execute(text("create or replace view names as select name from people"))
    answers |= {
        "inspected": inspected(engine),
        "reflected": reflected(engine),
        "mapped": mapped(engine),
        "transformed": transformed(engine, order["statements"]),
    }
    metadata.drop_all(engine)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()

"""From two tables in memory to recommendations with reasons: hkjax.fit, recommend, recommend_like and similar."""

import numpy as np
import pyarrow as pa

import hkjax

random = np.random.default_rng(0)
GENRES, N_FILMS, N_PEOPLE = ("Drama", "Comedy", "Horror", "War"), 80, 100
genre = random.choice(GENRES, size=N_FILMS)
films = pa.table(
    {
        "film": [f"f{k}" for k in range(N_FILMS)],
        "title": [f"{genre[k]} {k}" for k in range(N_FILMS)],
        "genre": genre,
        "director": random.choice(["Ann", "Bea", "Cleo"], size=N_FILMS),
    }
)
seen = {"person": [], "film": []}  # a mapping of columns; a pandas or polars frame would do as well
for person in range(N_PEOPLE):
    liking = random.gumbel(size=N_FILMS) + 3 * (genre == GENRES[person % 4])
    for k in np.argsort(-liking)[:12]:
        seen["person"].append(f"p{person}")
        seen["film"].append(f"f{k}")

model = hkjax.fit(
    seen,
    films,
    model="hkrm",
    columns={"user": "person", "item": "film"},
    settings={"model.dim": 8, "training.epochs": 20},
)
print({name: round(value, 2) for name, value in hkjax.evaluate(model).items() if name in ("recall@20", "ndcg@20")})
for row in hkjax.recommend(model, ["p2"], top_k=3).to_pylist():  # p2 prefers horror
    print(f"p2, rank {row['rank']}: {row['name']}, {row['because']}")
wars = [f"f{k}" for k in np.flatnonzero(genre == "War")[:3]]
for title, table in (
    ("for a person who liked three war films", hkjax.recommend_like(model, wars, top_k=3, reasons=False)),
    (f"similar to {films['title'][0]}", hkjax.similar(model, "f0", top_k=3, reasons=False)),
):
    print(f"{title}: {', '.join(table['name'].to_pylist())}")

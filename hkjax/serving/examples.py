"""A few users with their recommendations, for a report."""

import numpy as np

from hkjax.serving.recommend import recommend
from hkjax.serving.trained import TrainedModel, user_histories

_N_USERS, _TOP_K, _N_LIKED = 3, 5, 5


def example_lines(model: TrainedModel) -> list[str]:
    """Returns Markdown of three users (short, middling, long history) and their five best items with reasons."""
    histories = user_histories(model.data)
    lengths = np.array([len(history) for history in histories])
    with_history = np.flatnonzero(lengths > 0)
    if not len(with_history):
        return []
    order = with_history[np.argsort(lengths[with_history], kind="stable")]
    chosen = order[(np.linspace(0.25, 0.9, _N_USERS) * len(order)).astype(int)]
    names, lines = model.data.names, []
    for user in dict.fromkeys(chosen.tolist()):
        liked = [names.entities[item] for item in histories[user][:_N_LIKED]]
        more = f" and {lengths[user] - _N_LIKED} more" if lengths[user] > _N_LIKED else ""
        lines += ["", f"**{names.users[user]}** liked {', '.join(liked)}{more}.", ""]
        for row in recommend(model, [names.users[user]], _TOP_K).to_pylist():
            because = f" ({row['because']})" if row["because"] else ""
            lines.append(f"{row['rank']}. {row['name']}{because}")
    return lines

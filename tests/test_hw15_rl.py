"""Homework 15: advantages by hand, the gradient by algebra, a corridor's optimum, going on, and bad input."""

import gymnasium
import numpy as np
import pytest
from conftest import check_sentence
from PIL import Image

CHAPTER = "hw15_rl"
TRIAL = ["--synthetic", "--iterations", "6"]


@pytest.fixture
def hw15(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw15_light(load_chapter):
    """The modules that need no TensorFlow."""
    return load_chapter(CHAPTER, "environment", "returns", "rollout")


def learner_of(hw15, method="ppo", observations=1, actions=2, learning_rate=None):
    """A Learner as train.py makes it; with a learning rate, it descends plainly, so gradients show."""
    import keras

    keras.utils.set_random_seed(0)
    recipe = hw15.train.RECIPES[method]
    loss = hw15.updates.clipped_loss if recipe.clipped else hw15.updates.policy_gradient_loss
    model = hw15.model.build_model("bandit", observations, actions)
    learner = hw15.updates.Learner(model, loss, recipe.critic, clip=0.2)
    if learning_rate:
        learner.optimizer = keras.optimizers.SGD(learning_rate)
        learner.optimizer.build(learner.weights)
    return learner


def rewards_of(trajectory):
    return sum(trajectory.rewards)


# --- advantages --------------------------------------------------------------

# One trajectory that terminated and one that a time limit cut, with gamma 1/2 and lambda 1/2, worked out by
# hand. The last value is what the network says of the last observation; after a termination it is not asked.
TERMINATED = ([1.0, 0.0, 2.0], [0.5, 1.0, 1.5, 0.0])
TRUNCATED = ([1.0, 1.0], [2.0, 1.0, 4.0])
BY_HAND = {  # advantages and targets of the first, then of the second
    "whole_episode": (([3.0, 3.0, 3.0], [3.0, 3.0, 3.0]), ([2.0, 2.0], [2.0, 2.0])),
    "reward_to_go": (([1.5, 1.0, 2.0], [1.5, 1.0, 2.0]), ([2.5, 3.0], [2.5, 3.0])),
    "minus_baseline": (([1.0, 0.0, 0.5], [1.5, 1.0, 2.0]), ([0.5, 2.0], [2.5, 3.0])),
    "generalised_advantage": (([0.96875, -0.125, 0.5], [1.46875, 0.875, 2.0]), ([0.0, 2.0], [2.0, 3.0])),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_advantages_by_hand(hw15_light, name):
    credit = getattr(hw15_light.returns, name)
    for (rewards, values), expected in zip((TERMINATED, TRUNCATED), BY_HAND[name]):
        np.testing.assert_allclose(credit(np.array(rewards), np.array(values), 0.5, 0.5), expected)


def test_n_step_by_hand(hw15_light):
    for (rewards, values), expected in (
        (TERMINATED, ([0.875, 0.0, 0.5], [1.375, 1.0, 2.0])),
        (TRUNCATED, ([0.5, 2.0], [2.5, 3.0])),
    ):
        found = hw15_light.returns.n_step(np.array(rewards), np.array(values), 0.5, 0.5, n=2)
        np.testing.assert_allclose(found, expected)


def test_the_rungs_meet_where_they_should(hw15_light):
    """Lambda 1 is the baseline, lambda 0 one step; n steps beyond the end are the baseline too."""
    returns, rng = hw15_light.returns, np.random.default_rng(0)
    rewards, values = rng.normal(size=30), rng.normal(size=31)
    baseline = returns.minus_baseline(rewards, values, 0.9, 0.0)
    np.testing.assert_allclose(returns.generalised_advantage(rewards, values, 0.9, 1.0), baseline)
    np.testing.assert_allclose(returns.n_step(rewards, values, 0.9, 0.0, n=30), baseline)
    one_step = returns.generalised_advantage(rewards, values, 0.9, 0.0)
    np.testing.assert_allclose(returns.n_step(rewards, values, 0.9, 1.0, n=1), one_step)


def test_a_batch_bootstraps_what_was_cut_and_not_what_terminated(hw15):
    """The two trajectories by hand again, through the batch that an update sees."""
    Trajectory, scale = hw15.rollout.Trajectory, hw15.updates.REWARD_SCALE
    trajectories = [
        Trajectory([np.full(1, i, np.float32) for i in range(4)], [0, 1, 0], TERMINATED[0], terminated=True),
        Trajectory([np.full(1, i, np.float32) for i in range(4, 7)], [1, 1], TRUNCATED[0]),
    ]
    learner = learner_of(hw15)
    values = [*TERMINATED[1][:3], 99.0, *TRUNCATED[1]]  # what is said after a termination must not count
    log_probabilities = -np.arange(14.0).reshape(7, 2)
    tensor = hw15.updates.tf.constant
    learner.policy_and_value = lambda seen: (tensor(log_probabilities), tensor(scale * np.array(values)))
    credit = hw15.returns.generalised_advantage
    observations, actions, old, advantages, targets = learner.batch(trajectories, credit, 0.5, 0.5)
    np.testing.assert_array_equal(observations[:, 0], [0, 1, 2, 4, 5])
    np.testing.assert_array_equal(actions, [0, 1, 0, 1, 1])
    np.testing.assert_array_equal(old, [0, -3, -4, -9, -11])
    (first, first_targets), (second, second_targets) = BY_HAND["generalised_advantage"]
    both = np.array([*first, *second])
    np.testing.assert_allclose(advantages, (both - both.mean()) / both.std(), rtol=1e-4)
    np.testing.assert_allclose(targets, scale * np.array([*first_targets, *second_targets]), rtol=1e-5)


def test_advantages_agree_on_the_mean_and_the_ladder_lowers_the_variance(hw15_light):
    """A walk of 20 steps by tosses of a coin: a step earns 3, one more to the right and one less to the left.

    The gradient of the expected return for the one weight "go right" is 20 * 1/4 * (4 - 2) = 10.
    """
    returns, rng = hw15_light.returns, np.random.default_rng(0)
    expected = 3.0 * np.arange(20, -1, -1)
    gradients = {"whole_episode": [], "reward_to_go": [], "minus_baseline": [], "generalised_advantage": []}
    for _ in range(2000):
        actions = rng.integers(0, 2, 20)
        for name, found in gradients.items():
            advantages, _ = getattr(returns, name)(2.0 + 2.0 * actions, expected, 1.0, 0.9)
            found.append(np.sum(advantages * (actions - 0.5)))
    deviations = [np.std(found) for found in gradients.values()]
    for found, deviation in zip(gradients.values(), deviations):
        assert np.mean(found) == pytest.approx(10.0, abs=4 * deviation / 2000**0.5)
    assert all(above > 1.3 * below for above, below in zip(deviations, deviations[1:]))


# --- the gradient ---------------------------------------------------------


def logits_after(learner, actions, advantages, old=None, entropy_weight=0.0):
    """One plain step on a batch of a world with one state, by the compiled update: how the logits moved."""
    count = len(actions)
    seen = np.zeros((count, 1), np.float32)  # the hidden units stay 0, so that the bias alone moves
    head = learner.model.get_layer("policy")
    before = head.bias.numpy()
    log_probabilities = learner.policy_and_value(seen)[0].numpy()[np.arange(count), actions]
    old = log_probabilities if old is None else log_probabilities + np.array(old, np.float32)
    advantages, targets = np.array(advantages, np.float32), np.ones(count, np.float32)
    batch = (seen, np.array(actions, np.int32), old, advantages, targets)
    learner.update(batch, 1, count, 1.0, entropy_weight, np.random.default_rng(0))
    return head.bias.numpy() - before


@pytest.mark.parametrize("method", ["reinforce", "ppo"])
def test_policy_gradient_of_a_two_armed_bandit_meets_the_analytic_one(hw15, method):
    """Arms of reward 1 and 3, pulled with probabilities 3/4 and 1/4, just as often as they are expected.

    J = sum of p r, so dJ/dlogit_a = p_a (r_a - J) = 3/4 (1 - 1.5) and 1/4 (3 - 1.5).
    """
    learner = learner_of(hw15, method, learning_rate=1.0)
    learner.model.get_layer("policy").bias.assign(np.log([0.75, 0.25]))
    moved = logits_after(learner, [0, 0, 0, 1], [1.0, 1.0, 1.0, 3.0])
    np.testing.assert_allclose(moved, [-0.375, 0.375], rtol=1e-5)


@pytest.mark.parametrize(
    ("shift", "credit", "moves"),
    [(-0.3, 1.0, False), (-0.3, -1.0, True), (0.3, -1.0, False), (0.3, 1.0, True), (-0.1, 1.0, True)],
)
def test_clipping_stops_what_went_far_enough_and_nothing_else(hw15, shift, credit, moves):
    """An action's ratio is exp(0.3) = 1.35 or exp(-0.3) = 0.74, beyond 0.2, or exp(0.1), within."""
    moved = logits_after(learner_of(hw15, learning_rate=1.0), [0], [credit], old=[shift])
    assert (moved[0] * credit > 0.1) if moves else (moved == 0).all()


def test_entropy_is_raised_and_values_go_to_their_targets(hw15):
    learner = learner_of(hw15, "baseline", learning_rate=1.0)
    learner.model.get_layer("policy").bias.assign([1.0, 0.0])
    moved = logits_after(learner, [0, 1], [0.0, 0.0], entropy_weight=1.0)
    assert moved[0] < 0 < moved[1]
    assert learner.policy_and_value(np.zeros((1, 1), np.float32))[1].numpy() == pytest.approx([1.0])
    without = learner_of(hw15, "reward-to-go", learning_rate=1.0)
    logits_after(without, [0, 1], [0.0, 0.0])
    assert without.policy_and_value(np.ones((1, 1), np.float32))[1].numpy() == [
        0.0
    ]  # no critic: still 0 everywhere


def test_every_row_is_used_in_every_epoch(hw15):
    learner, seen = learner_of(hw15), []
    learner.minibatch_updates = lambda *batch: seen.append(batch[-2]) or hw15.updates.tf.zeros(3)
    learner.update((np.zeros(10),), 3, 4, 0.1, 0.0, np.random.default_rng(0))
    (picks,) = seen
    assert picks.shape == (9, 4)
    for epoch in range(3):
        assert set(picks[3 * epoch : 3 * epoch + 3].ravel()) == set(range(10))
    learner.update((np.zeros(3),), 1, 4, 0.1, 0.0, np.random.default_rng(0))
    assert sorted(seen[1].ravel()) == [0, 1, 2]


def test_numpy_policy_is_the_models_policy(hw15):
    model = hw15.model.build_model("any", 8, 4)
    model.get_layer("policy").kernel.assign(np.random.default_rng(0).normal(size=(64, 4)))
    seen = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    np.testing.assert_allclose(hw15.model.numpy_policy(model)(seen), model(seen)[0], atol=1e-5)


def test_the_ceiling_of_the_corridor_and_of_the_lander(load_chapter):
    """In the corridor what the best policy has; a lander's is less than without fuel, by some 15 points."""
    report = load_chapter(CHAPTER, "report").report
    assert report.ceiling("Corridor-v0", 200) == (99.095, 99.095)
    free, best = report.ceiling("LunarLander-v3", 20, rounds=20)
    assert 290 < free < 340
    assert 13 < free - best < 20


# --- the world and who plays in it ----------------------------------------


def wander(seen):
    """Logits in the corridor that go right from the places 1 and 2 and left from 3: it never ends."""
    return seen @ np.array([[0, 0], [0, 99], [0, 99], [99, 0], [0, 0]], np.float32)


def test_a_time_limit_is_no_termination(hw15_light):
    worlds = [hw15_light.environment.make_world("Corridor-v0") for _ in range(2)]
    for episode in hw15_light.rollout.play(wander, worlds, [0, 1]):
        assert (len(episode.actions), len(episode.observations)) == (20, 21)
        assert not episode.terminated
        assert not episode.landed
        assert episode.observations[-1][1:4].sum() == 1  # where it was cut, not where the next one begins
    to_the_left = hw15_light.rollout.play(lambda seen: np.array([[1.0, 0.0]] * len(seen)), worlds, [0, 1])
    to_the_right = hw15_light.rollout.play(lambda seen: np.array([[0.0, 1.0]] * len(seen)), worlds, [0, 1])
    assert all(episode.terminated and not episode.landed for episode in to_the_left)
    assert all(episode.terminated and episode.landed for episode in to_the_right)


@pytest.mark.parametrize("whole", [True, False])
def test_rollouts_lose_and_repeat_nothing(hw15_light, whole):
    """The trajectories of several rollouts, put together again, are the episodes that were played."""
    seconds = {"policy": 0.0, "environment": 0.0}
    worlds = [hw15_light.environment.make_world("Corridor-v0") for _ in range(3)]
    collector, rng = hw15_light.rollout.Collector(worlds, [0, 1, 2], seconds), np.random.default_rng(0)
    collect = collector.collect_whole if whole else lambda *args: collector.collect(args[0], 7, args[1])
    rollouts = [collect(lambda seen: np.zeros((len(seen), 2)), rng) for _ in range(50)]
    pieces = [piece for rollout in rollouts for piece in rollout]
    returns, steps = collector.report()
    assert collector.report() == ([], 0)
    assert steps == sum(len(piece.actions) for piece in pieces)
    for piece in pieces:  # what was reached follows from where it was and what was done
        assert len(piece.observations) == len(piece.actions) + 1
        indices = np.argmax(piece.observations, axis=1)
        np.testing.assert_array_equal(np.diff(indices), 2 * np.array(piece.actions) - 1)
        assert piece.terminated == (indices[-1] in (0, 4))
    if whole:
        assert [len(rollout) for rollout in rollouts] == [3] * 50
        assert returns == [rewards_of(piece) for piece in pieces]
        assert all(piece.terminated or len(piece.actions) == 20 for piece in pieces)
    else:
        assert [sum(len(piece.actions) for piece in rollout) for rollout in rollouts] == [3 * 7] * 50
        assert max(returns) <= 100  # the best, from place 3: no reward is counted twice
        total = sum(rewards_of(piece) for piece in pieces)
        assert sum(returns) + sum(collector.so_far) == pytest.approx(total)
        assert len([piece for piece in pieces if piece.terminated]) <= len(returns)
    assert min(seconds.values()) > 0


def test_a_cut_episode_goes_on_where_it_stopped(hw15_light):
    collector = hw15_light.rollout.Collector(
        [hw15_light.environment.make_world("Corridor-v0")], [0], {"policy": 0.0, "environment": 0.0}
    )
    rng, before = np.random.default_rng(0), None  # with this seed no episode meets its time limit
    for _ in range(200):
        for piece in collector.collect(lambda seen: np.zeros((len(seen), 2)), 3, rng):
            if before and not before.terminated:
                np.testing.assert_array_equal(piece.observations[0], before.observations[-1])
            before = piece


def test_actions_are_drawn_from_the_softmax(hw15_light):
    logits = np.log(np.tile([0.5, 0.3, 0.2], (100_000, 1)))
    drawn = hw15_light.rollout.sample(logits, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), [0.5, 0.3, 0.2], atol=0.01)


def test_a_seed_repeats_an_evaluation_exactly_and_the_film_shows_it(hw15_light):
    environment, rollout = hw15_light.environment, hw15_light.rollout
    weights = np.random.default_rng(0).normal(size=(8, 4))

    def fly(seeds, render_mode=None):
        worlds = [environment.make_world(environment.LANDER, render_mode) for _ in seeds]
        return rollout.play(lambda seen: seen @ weights, worlds, seeds)

    first, again, other = fly([0, 1, 2]), fly([0, 1, 2]), fly([2, 0])
    assert [flight.rewards for flight in first] == [flight.rewards for flight in again]
    assert [flight.rewards for flight in (first[2], first[0])] == [flight.rewards for flight in other]
    assert first[0].rewards != first[1].rewards
    (filmed,) = fly([0], "rgb_array")
    assert filmed.rewards == first[0].rewards  # so that landing.gif shows the flight that was counted
    frames = environment.draw(environment.LANDER, 0, first[0].actions[:9], every=4)
    assert [frame.shape for frame in frames] == [(400, 600, 3)] * 4  # before the first step, after 4, 8 and 9
    assert (frames[0] != frames[-1]).any()
    np.testing.assert_array_equal(environment.draw(environment.LANDER, 0, first[0].actions[:9], 4), frames)


def test_training_choice_and_score_see_other_episodes(hw15, tmp_path, monkeypatch):
    seen = {"train": [], "play": []}
    collector, play = hw15.training.Collector, hw15.training.play
    monkeypatch.setattr(
        hw15.training, "Collector", lambda e, seeds, t: seen["train"].extend(seeds) or collector(e, seeds, t)
    )
    monkeypatch.setattr(
        hw15.training, "play", lambda p, e, seeds: seen["play"].append(set(seeds)) or play(p, e, seeds)
    )
    hw15.train.main([*TRIAL, "--iterations", "2", "--out-dir", str(tmp_path)])
    *choice, final = seen["play"]
    assert final == set(range(200))
    assert not final & set.union(*choice)
    assert not (final | set.union(*choice)) & {int(seed) for seed in seen["train"]}


# --- claims ---------------------------------------------------------------


@pytest.mark.parametrize("method", ["reinforce", "reward-to-go", "baseline", "actor-critic", "ppo"])
def test_every_rung_solves_the_corridor_to_its_optimum(hw15, tmp_path, method):
    metrics = hw15.train.main(
        ["--synthetic", "--method", method, "--iterations", "25", "--out-dir", str(tmp_path)]
    )
    worlds = [hw15.environment.make_world("Corridor-v0") for _ in range(200)]
    always_right = hw15.rollout.play(lambda seen: np.array([[0.0, 1.0]] * len(seen)), worlds, range(200))
    assert metrics["score"] == np.mean([rewards_of(episode) for episode in always_right])
    assert metrics["landed"] == 1.0


# --- going on -------------------------------------------------------------


def rows_of(folder):
    lines = (folder / "history.csv").read_text().splitlines()
    return [int(line.split(",")[0]) for line in lines[1:]]


def killer(function, count):
    """The function, until its count-th call raises KeyboardInterrupt."""
    calls = []

    def call(*args, **kwargs):
        calls.append(1)
        if len(calls) == count:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    return call


@pytest.mark.full
@pytest.mark.parametrize("where", ["save", "play", "np.savez", "start"])
def test_a_training_that_was_killed_goes_on(hw15, tmp_path, monkeypatch, where):
    argv = [*TRIAL, "--out-dir", str(tmp_path)]
    with monkeypatch.context() as patch:
        if where == "np.savez":
            patch.setattr(hw15.checkpoint.np, "savez", killer(np.savez, 4))
        elif where == "start":
            patch.setattr(hw15.training, "Collector", killer(hw15.training.Collector, 1))
        else:
            home = {"save": hw15.checkpoint.Checkpoint, "play": hw15.training}[where]
            patch.setattr(home, where, killer(getattr(home, where), {"save": 4, "play": 2}[where]))
        with pytest.raises(KeyboardInterrupt):
            hw15.train.main(argv)
    hw15.train.main([*argv, "--resume"])
    assert rows_of(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert not [path for path in tmp_path.iterdir() if "half-written" in path.name]
    assert len(hw15.predict.main(["--synthetic", "--out-dir", str(tmp_path), "--episode", "7"])) == 200
    with Image.open(tmp_path / "landing.gif") as film:
        assert film.size == (200, 20), "two corridors side by side, at half their size"
    steps = [int(line.split(",")[1]) for line in (tmp_path / "history.csv").read_text().splitlines()[1:]]
    assert steps == [512 * row for row in range(1, 7)]


def test_the_learning_rate_falls_to_nothing_and_resuming_brings_new_episodes(hw15, tmp_path, monkeypatch):
    rates, seen = [], []
    update, collector = hw15.updates.Learner.update, hw15.training.Collector
    monkeypatch.setattr(
        hw15.updates.Learner, "update", lambda self, *args: rates.append(args[3]) or update(self, *args)
    )
    monkeypatch.setattr(
        hw15.training, "Collector", lambda e, seeds, t: seen.append(set(seeds)) or collector(e, seeds, t)
    )
    argv = [*TRIAL, "--iterations", "4", "--out-dir", str(tmp_path)]
    with monkeypatch.context() as patch:
        save = hw15.checkpoint.Checkpoint.save
        patch.setattr(hw15.checkpoint.Checkpoint, "save", killer(save, 3))
        with pytest.raises(KeyboardInterrupt):
            hw15.train.main(argv)
    hw15.train.main([*argv, "--resume"])
    np.testing.assert_allclose(rates, 0.001 * np.array([1, 3 / 4, 1 / 2, 1 / 2, 1 / 4]))
    assert not seen[0] & seen[1]


def test_a_checkpoint_holds_weights_and_optimiser(hw15, tmp_path):
    args = hw15.train.parse_args(["--synthetic"])
    learner, other = learner_of(hw15), learner_of(hw15)
    logits_after(learner, [0, 1, 1], [1.0, -1.0, 0.0])
    args.out_dir = tmp_path
    written, read = hw15.checkpoint.Checkpoint(args), hw15.checkpoint.Checkpoint(args)
    written.state = {"returns": [1.0, 2.0], "best": 5.0}
    written.save(hw15.training.variables(learner))
    read.restore(hw15.training.variables(other))
    assert read.state == written.state
    variables = [[v.numpy() for v in hw15.training.variables(one)] for one in (learner, other)]
    for ours, theirs in zip(*variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(other.optimizer.iterations.numpy()) == 1
    assert max(abs(v).max() for v in variables[0][len(learner.model.weights) + 2 :]) > 0  # Adam's moments
    for one in (learner, other):
        logits_after(one, [0, 1, 1], [1.0, -1.0, 0.0])
    for ours, theirs in zip(learner.model.get_weights(), other.model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_the_best_model_is_kept(hw15, tmp_path, monkeypatch):
    scores = iter([(5.0, 0.0), (9.0, 0.0), (9.0, 0.0), (7.0, 0.0), (1.0, 0.0), (3.0, 0.0), (0.0, 0.0)])
    kept = []
    monkeypatch.setattr(hw15.training, "LEAST_STEPS", 1)  # evaluations after every update
    monkeypatch.setattr(hw15.training, "evaluate", lambda *args: next(scores))
    monkeypatch.setattr(
        hw15.checkpoint.Checkpoint,
        "save",
        lambda *args: kept.append((tmp_path / "model.keras").stat().st_mtime_ns),
    )
    hw15.train.main([*TRIAL, "--out-dir", str(tmp_path)])
    assert kept[0] < kept[1] < kept[2] == kept[3] == kept[4] == kept[5]


def test_not_a_number_stops_with_the_last_good_files(hw15, tmp_path, capsys, monkeypatch):
    update, calls = hw15.updates.Learner.update, []

    def diverge(self, *args):
        calls.append(1)
        losses = update(self, *args)
        return losses * np.nan if len(calls) == 3 else losses

    monkeypatch.setattr(hw15.updates.Learner, "update", diverge)
    argv = [*TRIAL, "--out-dir", tmp_path]
    capsys.readouterr()
    check_sentence(hw15, capsys, argv, "update 3", "not a number", "--learning-rate 0.001")
    hw15.train.main([str(argument) for argument in [*argv, "--resume"]])
    assert rows_of(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_a_weight_that_is_not_a_number_stops_too(hw15, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hw15.updates.Learner, "norms", lambda self: [1.0, np.inf])
    check_sentence(hw15, capsys, [*TRIAL, "--out-dir", tmp_path], "update 1", "not a number")
    assert not list(tmp_path.iterdir())


# --- bad input: one sentence, status 2, nothing half-written --------------


@pytest.mark.parametrize(
    "flag",
    [
        "--environments 0",
        "--iterations 0",
        "--batch-size 0",
        "--learning-rate 0",
        "--learning-rate nan",
        "--gamma 1.1",
        "--gamma nan",
        "--gae-lambda -0.1",
        "--entropy-weight -1",
        "--clip 0",
        "--seed -1",
    ],
)
def test_bad_flags(hw15, tmp_path, capsys, flag):
    argv = ["--synthetic", "--out-dir", tmp_path / "out", *flag.split()]
    check_sentence(hw15, capsys, argv, flag.removesuffix(".0"), "expected")
    assert not (tmp_path / "out").exists()


BAD_WORLDS = {
    "Moon-v9": ["not in gymnasium", "LunarLander-v3"],
    "LunarLander-v2": ["not in gymnasium"],
    "nomodule:Moon-v9": ["is a module's", "LunarLander-v3"],
    "json:CartPole-v1": ["is a module's"],
    "not a name": ["not in gymnasium"],
    "LunarLanderContinuous-v3": ["actions Box", "expected discrete"],
    "FrozenLake-v1": ["observations Discrete", "expected a vector"],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", BAD_WORLDS)
def test_bad_worlds(hw15, tmp_path, capsys, name):
    argv = ["--world", name, "--out-dir", tmp_path / "out"]
    check_sentence(hw15, capsys, argv, f"--world {name}", *BAD_WORLDS[name])
    assert not (tmp_path / "out").exists()


def test_gymnasium_without_box2d(hw15, tmp_path, capsys, monkeypatch):
    def make(*args, **kwargs):
        raise gymnasium.error.DependencyNotInstalled('Box2D is not there: pip install "gymnasium[box2d]"')

    monkeypatch.setattr(gymnasium, "make", make)
    check_sentence(hw15, capsys, ["--out-dir", tmp_path], 'pip install "gymnasium[box2d]"')


def test_models_of_another_world_or_network(hw15, tmp_path, capsys, monkeypatch):
    argv, trial = ["--synthetic", "--out-dir", tmp_path], [*TRIAL, "--iterations", "1"]
    missing = "model.keras is missing; run train.py --synthetic first"
    check_sentence(hw15, capsys, argv, missing, script="predict")
    hw15.train.main([*TRIAL, "--iterations", "1", "--out-dir", str(tmp_path)])
    capsys.readouterr()
    check_sentence(
        hw15, capsys, argv[1:], "was trained on made-up data and the files are real", script="predict"
    )
    check_sentence(hw15, capsys, [*argv, "--episodes", "0"], "--episodes 0: expected", script="predict")
    flags = ["--episodes", "3", "--episode", "3"]
    check_sentence(hw15, capsys, [*argv, *flags], "--episode 3: expected 0 to 2", script="predict")
    with monkeypatch.context() as patch:
        patch.setattr(hw15.model, "UNITS", 32)
        check_sentence(hw15, capsys, argv, "model.keras is another network", script="predict")
        check_sentence(hw15, capsys, [*trial, *argv[1:], "--resume"], "checkpoint.npz is of another network")
    for flags in ("--method baseline", "--gamma 0.9", "--seed 1"):
        name, value = flags.split()
        check_sentence(
            hw15, capsys, [*trial, *argv[1:], "--resume", *flags.split()], name, f"expected {value}"
        )
    check_sentence(hw15, capsys, [*argv[1:], "--resume"], "--world Corridor-v0, expected LunarLander-v3")
    whole = (tmp_path / "model.keras").read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", b"not a zip file"):
        (tmp_path / "model.keras").write_bytes(spoilt)
        (tmp_path / "checkpoint.npz").write_bytes(spoilt)
        check_sentence(hw15, capsys, argv, "model.keras and metrics.json are of two", script="predict")
        world = hw15.environment.make_world("Corridor-v0")
        with pytest.raises(hw15.scaffold.BadInput, match="no whole Keras model"):
            hw15.model.load_model(tmp_path / "model.keras", world, "Corridor-v0")
        check_sentence(hw15, capsys, [*trial, *argv[1:], "--resume"], "checkpoint.npz is damaged")
    assert not (tmp_path / "episodes.csv").exists()


# --- settings that reach the method -----------------------------------------


def test_the_worth_of_entropy_falls_with_the_rate_and_the_flags_stand_in_their_order(
    hw15, tmp_path, monkeypatch
):
    weights, asked = [], []
    update, batch = hw15.updates.Learner.update, hw15.updates.Learner.batch
    monkeypatch.setattr(
        hw15.updates.Learner, "update", lambda self, *args: weights.append(args[4]) or update(self, *args)
    )
    monkeypatch.setattr(
        hw15.updates.Learner, "batch", lambda self, *args: asked.append(args[2:]) or batch(self, *args)
    )
    flags = ["--iterations", "4", "--entropy-weight", "0.2", "--gamma", "0.9", "--gae-lambda", "0.3"]
    hw15.train.main([*TRIAL, *flags, "--out-dir", str(tmp_path)])
    np.testing.assert_allclose(weights, 0.2 * np.array([1, 3 / 4, 1 / 2, 1 / 4]))
    assert asked == [(0.9, 0.3)] * 4  # gamma, lambda


def test_the_whole_gradient_is_clipped_to_a_half(hw15):
    """Adam's first moments after a step are a tenth of the gradient: of all weights together."""
    learner, rng = learner_of(hw15, "baseline", observations=3), np.random.default_rng(0)
    seen, actions = rng.normal(size=(50, 3)).astype(np.float32), rng.integers(0, 2, 50).astype(np.int32)
    old, advantages = np.zeros(50, np.float32), (1000 * rng.normal(size=50)).astype(np.float32)
    targets = (1000 * rng.normal(size=50)).astype(np.float32)
    learner.update((seen, actions, old, advantages, targets), 1, 50, 0.001, 0.0, rng)
    moments = [v.numpy() for v in learner.optimizer.variables if "momentum" in v.path]
    assert len(moments) == len(learner.weights)
    assert np.sqrt(sum(np.square(moment).sum() for moment in moments)) == pytest.approx(0.05, rel=1e-3)

"""The mechanistic planner: what it learns of a curve, and where it measures to learn it."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planners
from lab.errors import BadInput
from lab.types import Campaign, Candidate, Experiment, ExperimentStatus, History, Quality
from planners.mechanistic.planner import Estimate, MechanisticPlanner, MechanisticSettings
from tests.planners.campaigns import campaign, experiment, measured, observation

Truth = Callable[[Candidate], float]


def heated() -> tuple[Candidate, ...]:
    return tuple(
        Candidate(id=f"{t}/{d}", values={"temperature_c": t, "duration_s": d})
        for t in range(34, 89, 3)
        for d in (60, 600, 1800)
    )


def doses(groups: tuple[str, ...] = ("p1",)) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(id=f"{c:.3g}/{g}", values={"concentration_mmol_l": float(c), "plate": g})
        for c in (0.0, *np.geomspace(0.01, 100.0, 17).round(4))
        for g in groups
    )


def inactivation(half_c: float = 58.0, enthalpy: float = 350.0, start: float = 1.0) -> Truth:
    """With a half-life of 329 s at ``half_c``, the reference duration of the pool above."""

    def activity(candidate: Candidate) -> float:
        kelvin, half = candidate.values["temperature_c"] + 273.15, half_c + 273.15
        rate = (
            np.log(2) / 329.0 * kelvin / half * np.exp(-enthalpy / 8.314462618e-3 * (1 / kelvin - 1 / half))
        )
        return float(start * np.exp(-rate * candidate.values["duration_s"]))

    return activity


def saturation(vmax: float = 4.0, km: float = 2.0, ki: float = np.inf) -> Truth:
    def rate(candidate: Candidate) -> float:
        s = candidate.values["concentration_mmol_l"]
        return float(vmax * s / (km + s + s * s / ki))

    return rate


def response(ec50: float = 0.7, hill: float = 1.5, without: float = 90.0, full: float = 10.0) -> Truth:
    def seen(candidate: Candidate) -> float:
        dose = candidate.values["concentration_mmol_l"]
        return float(without + (full - without) * dose**hill / (dose**hill + ec50**hill))

    return seen


def made(pool: tuple[Candidate, ...], **settings: Any) -> Campaign:
    return campaign(pool, "mechanistic", parent="", settings=settings)


def planner(made: Campaign) -> MechanisticPlanner:
    return MechanisticPlanner(MechanisticSettings(**dict(made.planner.settings)))


def noisy(truth: Truth, error: float, seed: int = 0) -> Truth:
    errors = np.random.default_rng(seed)
    return lambda c: truth(c) + error * float(errors.normal())


def estimates(made: Campaign, history: History) -> dict[tuple[str, str], Estimate]:
    found = planner(made).posterior(made, history, np.random.default_rng(1))
    return {(e.name, e.group): e for e in found}


def choose(
    made: Campaign, n: int, history: History, pending: tuple[Experiment, ...] = ()
) -> list[Experiment]:
    return list(planner(made).ask(n, made, history, pending, np.random.default_rng([5, 1])).experiments)


CASES = {
    "thermal_inactivation": (
        heated(),
        inactivation(),
        0.02,
        {"half_c": 58.0, "enthalpy_kj_mol": 350.0, "start": 1.0},
    ),
    "michaelis_menten": (doses(), saturation(), 0.05, {"vmax": 4.0, "km_mmol_l": 2.0}),
    "substrate_inhibition": (
        doses(),
        saturation(ki=20.0),
        0.04,
        {"vmax": 4.0, "km_mmol_l": 2.0, "ki_mmol_l": 20.0},
    ),
    "dose_response": (
        doses(),
        response(),
        1.5,
        {"ec50_mmol_l": 0.7, "hill": 1.5, "without": 90.0, "full": 10.0},
    ),
}
EVERY_MECHANISM = pytest.mark.parametrize("name", CASES)


@EVERY_MECHANISM
def test_the_parameters_behind_results_are_found_within_their_intervals(name: str) -> None:
    pool, truth, error, parameters = CASES[name]
    history = measured(pool[::2], noisy(truth, error), standard_error=error)
    found = estimates(made(pool, mechanism=name), history)
    for parameter, value in parameters.items():
        e = found[parameter, ""]
        assert e.low < e.mean < e.high
        assert abs(e.mean - value) < 3.0 * e.sd
        assert e.sd < 0.35 * abs(value)


@EVERY_MECHANISM
def test_a_few_chosen_experiments_tell_more_than_as_many_at_random(name: str) -> None:
    pool, truth, error, parameters = CASES[name]
    case, first = made(pool, mechanism=name, scale=max(map(truth, pool))), next(iter(parameters))

    def left(chosen: History) -> float:
        e = estimates(case, chosen)[first, ""]
        return e.sd / e.mean

    history = History()
    for _ in range(2):
        batch = [replace(e, status=ExperimentStatus.MEASURED) for e in choose(case, 4, history)]
        seen = [
            observation(e, noisy(truth, error, len(history.experiments))(e.candidate), error) for e in batch
        ]
        history = History(
            experiments=(*history.experiments, *batch), observations=(*history.observations, *seen)
        )
    at_random = []
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(len(pool))[:8]
        at_random.append(
            left(measured([pool[i] for i in rows], noisy(truth, error, seed), standard_error=error))
        )
    assert left(history) < np.median(at_random)


def test_draws_agree_with_nuts(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    import tqdm
    from pyro.infer import MCMC, NUTS

    from planners.mechanistic.fitting import quiet_pyro
    from planners.mechanistic.inference import Design, MechanisticModel, posterior_draws
    from planners.mechanistic.mechanisms import MECHANISMS

    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)  # it would leave a thread behind
    ranges = {"concentration_mmol_l": (0.0, 100.0)}
    mechanism = MECHANISMS["michaelis_menten"]
    model = MechanisticModel(curve=mechanism.curve(ranges), priors=mechanism.priors(ranges))
    pool = doses()[::2]
    values = torch.tensor([noisy(saturation(1.0, 2.0), 0.03)(c) for c in pool], dtype=torch.double)
    doses_there = torch.tensor([c.values["concentration_mmol_l"] for c in pool], dtype=torch.double)
    design = Design(
        inputs={"concentration_mmol_l": doses_there}, groups=torch.zeros(len(pool), dtype=torch.long)
    )
    errors = torch.full((len(pool),), 0.03, dtype=torch.double)
    with quiet_pyro(np.random.default_rng(0)):
        ours = posterior_draws(model, design, errors, values, 4000)
        sampler = MCMC(
            NUTS(model, jit_compile=False), num_samples=300, warmup_steps=150, disable_progbar=True
        )
        sampler.run(design, errors, values)
    assert ours.effective > 300
    by_site = {name: part[:, 0].numpy() for name, part in model.split(ours.values).items()}
    for name, theirs in sampler.get_samples().items():
        spread = float(theirs.std())
        assert by_site[name].mean() == pytest.approx(float(theirs.mean()), abs=0.3 * spread)
        assert by_site[name].std() == pytest.approx(spread, rel=0.25)


def test_groups_lend_each_other_strength() -> None:
    plates = ("p1", "p2", "p3", "p4")
    pool = doses(plates)
    km = dict(zip(plates, (1.5, 2.0, 2.5, 2.0), strict=True))

    def truth(candidate: Candidate) -> float:
        return saturation(4.0, km[candidate.values["plate"]])(candidate)

    rich = [c for c in pool if c.values["plate"] != "p4"][::2]
    poor = [c for c in pool if c.values["plate"] == "p4"][8:9]
    grouped = made(pool, mechanism="michaelis_menten", group="plate", varies=["km_mmol_l"])
    history = measured([*rich, *poor], noisy(truth, 0.05), standard_error=0.05)
    found = estimates(grouped, history)
    assert abs(found["km_mmol_l", "p1"].mean - 1.5) < 3 * found["km_mmol_l", "p1"].sd
    assert found["km_mmol_l", "p1"].mean < found["km_mmol_l", "p3"].mean
    assert ("vmax", "") in found
    alone = made(tuple(c for c in pool if c.values["plate"] == "p4"), mechanism="michaelis_menten", scale=4.0)
    single = estimates(alone, measured(poor, noisy(truth, 0.05), standard_error=0.05))
    assert found["km_mmol_l", "p4"].sd < 0.5 * single["km_mmol_l", ""].sd


def test_what_is_pending_counts_as_told() -> None:
    case = made(heated())
    history = measured(heated()[::9], inactivation(), standard_error=0.02)
    first = choose(case, 1, history)[0]
    rest = choose(case, 1, history, (replace(first, status=ExperimentStatus.PROPOSED),))[0]
    assert rest.candidate.id != first.candidate.id
    assert rest.reason.acquisition_value is not None
    assert first.reason.acquisition_value is not None
    assert rest.reason.acquisition_value < first.reason.acquisition_value


def test_the_sentence_names_the_parameter_and_what_is_known_of_it() -> None:
    case = made(heated())
    before = choose(case, 1, History())[0].reason
    assert "so far taken for" in before.sentence
    after = choose(case, 2, measured(heated()[::5], inactivation(), standard_error=0.02))[0].reason
    e = estimates(case, measured(heated()[::5], inactivation(), standard_error=0.02))
    assert "Expected to tell most about the" in after.sentence
    assert any(x.label in after.sentence for x in e.values())
    assert "nats" in after.sentence
    assert after.interval is not None
    assert after.interval[0] < after.predicted_mean < after.interval[1]


def test_it_advises_to_stop_when_little_is_left_to_learn() -> None:
    history = measured(heated(), noisy(inactivation(), 0.001), standard_error=0.001)
    spare = (*heated(), Candidate(id="spare", values={"temperature_c": 40, "duration_s": 60}))
    done = planner(made(spare)).ask(1, made(spare), history, (), np.random.default_rng(0)).advice
    assert done is not None
    assert done.stop
    early = measured(heated()[:2], inactivation(), standard_error=0.02)
    going = planner(made(spare)).ask(4, made(spare), early, (), np.random.default_rng(0)).advice
    assert going is not None
    assert not going.stop


def test_it_predicts_the_curve_and_how_sure_it_is_of_it() -> None:
    case, history = made(heated()), measured(heated()[::4], inactivation(), standard_error=0.02)
    beliefs = planner(case).predict(case, history, heated(), np.random.default_rng(0))
    assert beliefs is not None
    truth = np.array([inactivation()(c) for c in heated()])
    assert np.abs(beliefs.mean - truth).max() < 0.08
    assert np.mean((beliefs.low <= truth) & (truth <= beliefs.high)) > 0.9
    assert planner(case).predict(case, History(), heated(), np.random.default_rng(0)) is None


def test_a_group_that_nobody_measured_is_predicted_as_one_as_any_other_may_be() -> None:
    pool = doses(("p1", "p2"))
    heights = {"p1": 1.0, "p2": 3.0}

    def truth(candidate: Candidate) -> float:
        return saturation(heights[candidate.values["plate"]], 0.5)(candidate)

    case = made(pool, mechanism="michaelis_menten", group="plate")
    dose = max(c.values["concentration_mmol_l"] for c in pool)
    wanted = [
        Candidate(id=plate, values={"concentration_mmol_l": dose, "plate": plate}) for plate in ("p1", "new")
    ]
    history = measured(pool, truth, standard_error=0.02)
    beliefs = planner(case).predict(case, history, wanted, np.random.default_rng(0))
    assert beliefs is not None
    assert beliefs.mean[0] == pytest.approx(truth(wanted[0]), abs=0.1)
    assert beliefs.sd[1] > 10 * beliefs.sd[0]
    assert beliefs.low[1] < 1.0 < 3.0 < beliefs.high[1]
    with pytest.raises(BadInput, match="has no plate"):
        planner(case).predict(
            case,
            history,
            [Candidate(id="c", values={"concentration_mmol_l": 1.0})],
            np.random.default_rng(0),
        )


@pytest.mark.parametrize(("plates", "each"), [(2, 12), (4, 3)])
def test_intervals_of_groups_with_a_few_results_each_hold_the_parameters_and_do_not_depend_on_the_seed(
    plates: int, each: int
) -> None:
    names = tuple(f"p{i}" for i in range(plates))
    rng = np.random.default_rng(5)
    heights = dict(zip(names, np.exp(rng.normal(0.5, 0.4, plates)), strict=True))
    halves = dict(zip(names, np.exp(rng.normal(0.5, 0.4, plates)), strict=True))

    def truth(candidate: Candidate) -> float:
        plate = candidate.values["plate"]
        return saturation(heights[plate], halves[plate])(candidate)

    pool = doses(names)
    own = [[c for c in pool if c.values["plate"] == name] for name in names]
    chosen = [row[i] for row in own for i in rng.choice(len(row), min(each, len(row)), replace=False)]
    case = made(pool, mechanism="michaelis_menten", group="plate")
    history = measured(chosen, noisy(truth, 0.05), standard_error=0.05)
    found = [
        {(e.name, e.group): e for e in planner(case).posterior(case, history, np.random.default_rng(seed))}
        for seed in (0, 1)
    ]
    held = [
        e.low <= (heights if e.name == "vmax" else halves)[e.group] <= e.high
        for estimates in found
        for e in estimates.values()
    ]
    assert np.mean(held) >= 0.8
    for key, one in found[0].items():
        other = found[1][key]
        width = np.log(one.high / one.low)
        assert abs(np.log(one.low / other.low)) < 0.3 * width
        assert abs(np.log(one.high / other.high)) < 0.3 * width


class TestInformation:
    """Against what can be worked out on paper: a result that is a parameter plus noise."""

    def gain(self, spread: float, noise: float, count: int = 600) -> float:
        import torch

        from planners.mechanistic.information import InformationGain

        torch.manual_seed(0)
        means = spread * torch.randn(count, 1, dtype=torch.double)
        return float(InformationGain(count).gains(means, torch.full_like(means, noise))[0])

    @pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0, 3.0, 10.0])
    def test_the_gain_is_half_the_logarithm_of_one_plus_signal_over_noise(self, ratio: float) -> None:
        assert self.gain(ratio, 1.0) == pytest.approx(0.5 * np.log1p(ratio**2), abs=0.08)

    def test_measuring_the_same_again_tells_less_each_time(self) -> None:
        import torch

        from planners.mechanistic.information import InformationGain

        torch.manual_seed(0)
        means = 2.0 * torch.randn(600, 1, dtype=torch.double)
        noise, gain = torch.ones_like(means), InformationGain(600)
        told = []
        for n in range(1, 4):
            gain.measure(means[:, 0], noise[:, 0])
            told.append(gain.gain)
            assert gain.gain == pytest.approx(0.5 * np.log1p(4.0 * n), abs=0.12)
        assert told[1] - told[0] > told[2] - told[1] > 0


class TestContract:
    """What every planner promises, on candidates that the mechanism can take."""

    def test_a_batch_has_what_was_asked_for_each_candidate_once(self) -> None:
        for history in (History(), measured(heated()[:9], inactivation())):
            ids = [e.candidate.id for e in choose(made(heated()), 8, history)]
            assert len(set(ids)) == 8
            assert not set(ids) & {e.candidate.id for e in history.experiments}

    def test_the_same_inputs_and_generator_state_give_the_same_choices(self) -> None:
        history = measured(heated()[::5], inactivation())
        one, two = ([replace(e, id="") for e in choose(made(heated()), 4, history)] for _ in range(2))
        assert one == two

    def test_the_inputs_are_left_as_they_were(self) -> None:
        case, history = made(heated()), measured(heated()[::5], inactivation())
        before = pickle.dumps((case.candidates, history))
        choose(case, 3, history)
        assert pickle.dumps((case.candidates, history)) == before

    def test_a_failed_quality_check_is_repeated_first(self) -> None:
        spoilt = experiment(heated()[6])
        bad = observation(spoilt, 0.9, quality=Quality(ok=False, sentence="A bubble."))
        first = choose(made(heated()), 3, History(experiments=(spoilt,), observations=(bad,)))[0]
        assert first.repeat_of == spoilt.id

    def test_an_exhausted_pool_is_said_to_be(self) -> None:
        done = planner(made(heated())).ask(
            2, made(heated()), measured(heated(), inactivation()), (), np.random.default_rng(0)
        )
        assert done.experiments == ()
        assert done.advice is not None
        assert done.advice.stop

    @pytest.mark.parametrize(
        "value",
        [0.0, 1e120, -1e12, 1e-300, float("nan")],
        ids=["zero", "huge", "negative", "tiny", "missing"],
    )
    def test_results_of_any_size_leave_a_batch_with_finite_numbers(self, value: float) -> None:
        history = measured(heated()[:6], lambda c: value)
        case = replace(made(heated()), policies=replace(made(heated()).policies, repeat_failed=0))
        for e in choose(case, 3, history):
            assert np.isfinite(
                [e.reason.predicted_mean, e.reason.predicted_sd, e.reason.acquisition_value]
            ).all()


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"mechanism": "michaelis_menten"}, "needs concentration_mmol_l"),
        ({"inputs": {"temperature": "temperature_c"}}, "temperature is no input"),
        ({"fixed": {"ph": 7.0}}, "ph is no input"),
        ({"group": "plate"}, "plate, which they do not have"),
        ({"group": "duration_s", "varies": ["km"]}, "km is no parameter"),
    ],
)
def test_what_the_candidates_cannot_give_is_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        choose(made(heated(), **settings), 1, History())


def test_an_input_that_is_no_number_is_refused_with_its_candidate() -> None:
    pool = (*heated(), Candidate(id="odd", values={"temperature_c": "hot", "duration_s": 60}))
    with pytest.raises(BadInput, match="odd has 'hot'"):
        choose(made(pool), 1, History())


def test_an_unknown_mechanism_is_refused_with_its_field() -> None:
    with pytest.raises(BadInput) as refusal:
        planners.planner("mechanistic", {"mechanism": "magic"})
    assert refusal.value.field == "planner.settings.mechanism"

"""algo=rps_simulation: runs the simulation for the directions of the held-out records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from prefrun.algorithm import Outcome, RunAlgorithm
from prefrun.errors import ConfigError
from prefrun.evaluation.evaluator import Estimate
from prefrun.evaluation.interval import mean_with_interval
from prefrun_rps.directions import angle_between, from_angles
from prefrun_rps.preference import direction_of, preference_names
from prefrun_rps.results import SIMULATION, DirectionResult, Interval, write_results
from prefrun_rps.simulation import Cone, Generator, Trials, dominance_violation, dominates, simulate

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit
    from prefrun.reward import Reward
    from prefrun.training.services import Services


class RpsSimulation(RunAlgorithm):
    """RPS and best-of-n on a simulated generator."""

    paper = "Mao et al. 2025, arXiv 2510.20498"
    kind = "simulation, no model"
    formula = "r = q(a) (cos a, sin a) + sigma e; best of the neighbourhood against best of k"
    verdict = "Reproduced: win rate 0.33 at 0 degrees, 0.89 at 30, 0.92 at 45, in five seeds."

    uses_model = False
    trainer_keys = frozenset()
    card = """
    Robust Preference Selection (Mao, Shi, Gu, Wei, arXiv 2510.20498) on a generator that is good in
    a band of directions. Asked for angle a it answers with the reward vector

      r = q(a) (cos a, sin a) + sigma eps,   q(a) = exp(-(max(0, |a - a0| - w) / b)^2)

    For each target v: RPS asks k angles within theta_max of v, best-of-n asks v k times; both keep
    the answer with the highest v . r. Reported per target: mean best score, gain, win rate (ties
    count half), and whether the best score's distribution of RPS first-order dominates that of
    best-of-n, next to the same for single answers (the paper's assumption 1).
    The targets are the directions of the held-out records; data=control_codes has 0 to 60 degrees.
    Pitfall: inside the band RPS loses, as its neighbours are no better and point elsewhere.
    """

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError where a held-out record has no direction in two objectives."""
        del reward
        self._targets(data)

    def run(self, services: Services) -> Outcome:
        """Simulate every target and return win rate and gain by target."""
        seed, resamples = services.run.seed, services.config.evaluation.bootstrap
        results: list[DirectionResult] = []
        metrics: dict[str, Estimate] = {}
        for name, degrees in self._targets(services.data).items():
            trials = self._trials(degrees, seed)
            result, estimates = self._measure(name, degrees, trials, resamples, seed)
            results.append(result)
            metrics |= estimates
        dominated = [result for result in results if result.dominates]
        metrics["dominated_targets"] = Estimate(float(len(dominated)))
        write_results(services.run.output_dir / SIMULATION, results)
        best = {name: "max" for name in metrics if not name.startswith("dominated")}
        return Outcome(metrics=metrics, directions=best)

    def _targets(self, data: DataSplit) -> dict[str, float]:
        """Angle in degrees by name, of each different direction of the held-out records."""
        targets = {}
        for tree in data.test:
            names = preference_names(tree)
            v = direction_of(tree, names)
            if v.size != 2:
                raise ConfigError(
                    f"algo=rps_simulation has 2 objectives, and record {tree.id} names "
                    f"{', '.join(names)}\n  remedy: data=control_codes"
                )
            degrees = round(float(np.rad2deg(np.arctan2(v[1], v[0]))), 6)
            targets[f"{degrees:g}°"] = degrees
        return dict(sorted(targets.items(), key=lambda item: item[1]))

    def _trials(self, degrees: float, seed: int) -> Trials:
        config = self.config
        cone = Cone(config.k, config.theta_max, config.scheme.name)
        generator = Generator(config.center, config.width, config.falloff, config.sigma)
        random = np.random.default_rng([seed, round(1000 * degrees) % 360_000])
        return simulate(degrees, config.trials, cone, generator, random)

    def _measure(
        self, name: str, degrees: float, trials: Trials, resamples: int, seed: int
    ) -> tuple[DirectionResult, dict[str, Estimate]]:
        mine, theirs = trials.best
        wins, gains = (
            replace(
                mean_with_interval(values.tolist(), resamples=resamples, seed=seed),
                per_record=None,  # trials are no held-out records
            )
            for values in (trials.wins, mine - theirs)
        )
        generator = Generator(
            self.config.center, self.config.width, self.config.falloff, self.config.sigma
        )
        own, covered = from_angles([degrees, generator.nearest_covered(degrees)])
        single = trials.rps.ravel(), trials.baseline.ravel()
        result = DirectionResult(
            name=name,
            degrees=degrees,
            distance=angle_between(own, covered),
            count=mine.size,
            win_rate=Interval.of(wins),
            gain=Interval.of(gains),
            score=float(mine.mean()),
            baseline=float(theirs.mean()),
            violation=dominance_violation(mine, theirs),
            single_violation=dominance_violation(*single),
            dominates=dominates(mine, theirs),
            single_dominates=dominates(*single),
        )
        target = name.removesuffix("°")
        return result, {f"win_rate/{target}": wins, f"gain/{target}": gains}

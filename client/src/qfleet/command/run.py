"""``qfleet run``: submit a program."""

from typing import Any

import msgspec

from qfleet import jobfile, parameters
from qfleet.command import asked, following, options, outcome, refusals
from qfleet.fleet import Fleet
from qfleet.render import plans, terminal
from qfleet_wire import api


@outcome.reported
def run(  # noqa: PLR0913 – the options of a command are its parameters
    file: options.JobFile,
    *,
    shots: options.Shots = None,
    observable: options.Observables = None,
    bitstring: options.Bitstrings = None,
    points: options.Points = None,
    gradient: options.Gradient = None,
    seed: options.Seed = None,
    name: options.JobName = None,
    residency: options.Residency = None,
    prefer: options.Prefer = None,
    replace: options.Replace = None,
    first_valid_wins: options.FirstValidWins = None,
    lost_after: options.LostAfter = None,
    max_attempts: options.MaxAttempts = None,
    deadline: options.Deadline = None,
    agree: options.Agree = None,
    of: options.Of = None,
    probes: options.Probes = None,
    plan: options.Plan = False,
    noise: options.Noise = None,
    watch: options.Watch = False,
    top: options.Top = 16,
    json: options.Json = False,
) -> None:
    """Submit a job: an OpenQASM program to sample, or a whole job file.

    With --observable a program is evaluated, with --bitstring its amplitudes are taken.

    A job file (.toml or .json) has the fields of a job, of any kind; options go before what it says.
    """
    given: dict[str, Any] = {
        "shots": shots,
        "observables": tuple(observable) if observable else None,
        "bitstrings": tuple(bitstring) if bitstring else None,
        "parameters": parameters.parse(points) if points else None,
        "gradient": gradient,
        "seed": seed,
        "name": name,
        "residency": asked.tags(residency) if residency else None,
        "prefer": None if prefer is None else asked.preference(prefer),
        "replace": replace,
        "first_valid_wins": first_valid_wins,
        "lost_after_s": lost_after,
        "max_attempts": max_attempts,
        "deadline_s": deadline,
        "agree": agree,
        "of": of,
        "probes": probes,
        "noise": jobfile.load_noise(noise) if noise else None,
    }
    base = asked.base(file, observable, bitstring)
    request = msgspec.structs.replace(base, **{k: v for k, v in given.items() if v is not None})
    with Fleet.from_configuration() as fleet:
        with refusals.shown(request, file=file, points=points or (), json=json):
            if plan:
                _show(fleet.plan(request), json=json)
                return
            job = fleet.submit(request)
        if watch:
            following.finish(fleet, job.id, top=top, json=json)
        elif json:
            terminal.write_json(job)
        else:
            _tell(job)


def _show(view: api.PlanView, *, json: bool) -> None:
    if json:
        terminal.write_json(view)
    else:
        terminal.output().print(plans.plan(view))


def _tell(job: api.JobView) -> None:
    for sentence in (*job.plan, *job.placement):
        terminal.say(sentence, "dim")
    terminal.output().print(terminal.printable(job.id))
    terminal.say(f"Follow it with `qfleet job watch {job.id}`.")

"""All sub-commands of ``qfleet`` under one roof."""

import typer

from qfleet.command import (
    apps,
    check,
    demo,
    demo_keys,
    devices,
    init,
    jobs,
    keys,
    network,
    regions,
    run,
    verify,
    version,
)

application = typer.Typer(
    name="qfleet",
    help="Run quantum workloads on a fleet of devices. Quantum states are simulated on the devices.",
    epilog="Exit codes: 0 done, 1 internal error, 2 user error, 3 refused, 4 unreachable, 5 job failed.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
application.command("init")(init.init)
application.add_typer(devices.application, name="device")
application.add_typer(regions.application, name="region")
application.command("run")(run.run)
application.add_typer(jobs.application, name="job")
application.add_typer(network.application, name="network")
application.add_typer(keys.application, name="key")
application.command(
    "app",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)(apps.app)
application.command("verify")(verify.verify)
application.command("check")(check.check)
application.command("demo")(demo.demo)
application.command("demo-keys")(demo_keys.demo_keys)
application.command("version")(version.version)

#!/usr/bin/python3
"""Runs a program under the restrictions of a systemd unit where systemd does not run.

    scripts/confined.py UNIT [DROP-IN...] --state DIR --sockets DIR --user ID -- PROGRAM [ARGUMENT...]

It reads the unit, so what is tested is what is shipped; a sandbox setting that it does not know is an error. Files,
namespaces and privileges are restricted by bubblewrap and setpriv, system calls by libseccomp, each as
systemd.exec(5) says. It must be started by root, and ends by executing the program, with the unit's environment and
this one's LISTEN_FDS, NOTIFY_SOCKET and WATCHDOG_USEC.

One thing is stricter: a call that SystemCallFilter= does not list kills the program instead of failing with
SystemCallErrorNumber=, so that no refused call goes unnoticed.

DIR of --state is the unit's state directory, DIR of --sockets is seen, read-only, as /run/jobbroker.
"""
import argparse
import errno
import os
import subprocess
import sys

# Done in `sandbox` and `filters`, always.
ALWAYS = {
    "AmbientCapabilities": "",
    "CapabilityBoundingSet": "",
    "KeyringMode": "private",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateMounts": "yes",
    "PrivateTmp": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0077",
}
# Implied by the lack of every capability, by read-only files and by the list of system calls; or not done here.
IMPLIED = {
    "DevicePolicy", "IPAddressDeny", "LimitCORE", "ProcSubset", "ProtectClock", "ProtectKernelLogs",
    "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "RemoveIPC", "RestrictRealtime",
}
# How the service is run, which is the caller's business.
RUNNING = {
    "EnvironmentFile", "ExecStart", "Group", "Restart", "RestartSec", "StateDirectory", "StateDirectoryMode",
    "TimeoutStopSec", "Type", "User", "WatchdogSec",
}
KNOWN = {"Environment", "PrivateNetwork", "RestrictAddressFamilies", "SystemCallFilter"}


def read_service(paths):
    """The settings of [Service], each with all its values, from a unit and its drop-ins."""
    settings, section = {}, ""
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in map(str.strip, lines):
                if line.startswith("["):
                    section = line
                elif section == "[Service]" and line and not line.startswith(("#", ";")):
                    name, value = line.split("=", 1)
                    settings.setdefault(name, []).append(value)
    for name, values in settings.items():
        if name in ALWAYS and values != [ALWAYS[name]]:
            sys.exit(f"confined: {name}={values} is not what this program does: {ALWAYS[name]}")
        if name not in ALWAYS and name not in IMPLIED | RUNNING | KNOWN:
            sys.exit(f"confined: {name}= is not known here; teach {__file__}")
    missing = [name for name in ALWAYS if name not in settings]
    if missing:
        sys.exit(f"confined: the unit does not ask for what this program does: {missing}")
    return settings


def sandbox(settings, options, program):
    """The commands that set up what is not a filter of system calls: bubblewrap's, then setpriv's."""
    command = ["/usr/bin/bwrap", "--die-with-parent", "--ro-bind", "/", "/"]
    for directory in ("/home", "/root", "/run", "/tmp", "/var/tmp", "/var/lib"):
        command += ["--tmpfs", directory]
    # What was hidden and is needed to start: the program, this script and the unit.
    for file in (program, __file__, *options.units):
        directory = os.path.dirname(os.path.abspath(file))
        command += ["--ro-bind", directory, directory]
    command += ["--bind", options.state, "/var/lib/jobbroker", "--ro-bind", options.sockets, "/run/jobbroker"]
    for directory in ("/home", "/root", "/run", "/var/lib"):
        command += ["--remount-ro", directory]
    command += ["--chmod", "1777", "/tmp", "--chmod", "1777", "/var/tmp"]
    command += ["--proc", "/proc", "--dev", "/dev", "--unshare-uts", "--unshare-cgroup-try", "--chdir", "/"]
    if settings["PrivateNetwork"][-1] == "yes":
        command += ["--unshare-net"]
    for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        command += ["--cap-add", capability]
    user = str(options.user)
    return command + [
        "/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs",
        "--inh-caps=-all", "--bounding-set=-all",
    ]


def listed_calls(settings):
    """The calls that the lines of SystemCallFilter= leave, their groups resolved by systemd itself."""

    def resolve(names):
        calls = set()
        for name in names:
            if not name.startswith("@"):
                calls.add(name)
                continue
            text = subprocess.run(
                ["systemd-analyze", "--no-pager", "syscall-filter", name], check=True, capture_output=True,
                text=True).stdout
            lines = (line.strip() for line in text.splitlines()[1:])
            calls |= resolve([line for line in lines if line and not line.startswith("#")])
        return calls

    calls = resolve(["@default"])
    for value in settings["SystemCallFilter"]:
        if value.startswith("~"):
            calls -= resolve(value[1:].split())
        else:
            calls |= resolve(value.split())
    return calls


def filters(settings):
    """The filters of system calls, in the order in which they are to be loaded."""
    import seccomp

    def refuse(rules, call, number, *conditions):
        rules.add_rule(seccomp.ERRNO(number), call, *conditions)

    masked, different = seccomp.MASKED_EQ, seccomp.NE
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    # RestrictAddressFamilies=
    numbers = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
    families = {numbers[name] for value in settings["RestrictAddressFamilies"] for name in value.split()}
    for family in range(64):
        if family not in families:
            refuse(rules, "socket", errno.EAFNOSUPPORT, seccomp.Arg(0, seccomp.EQ, family))
    refuse(rules, "socket", errno.EAFNOSUPPORT, seccomp.Arg(0, seccomp.GE, 64))
    # MemoryDenyWriteExecute=: nothing is to be executed that could be written.
    write, execute = 2, 4
    refuse(rules, "mmap", errno.EPERM, seccomp.Arg(2, masked, write | execute, write | execute))
    for call in ("mprotect", "pkey_mprotect"):
        refuse(rules, call, errno.EPERM, seccomp.Arg(2, masked, execute, execute))
    refuse(rules, "shmat", errno.EPERM, seccomp.Arg(2, masked, 0o100000, 0o100000))
    # RestrictNamespaces=: clone3's flags are in memory, where no filter sees them; callers then fall back to clone.
    refuse(rules, "clone3", errno.ENOSYS)
    refuse(rules, "unshare", errno.EPERM)
    refuse(rules, "setns", errno.EPERM)
    for flag in (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        refuse(rules, "clone", errno.EPERM, seccomp.Arg(0, masked, flag, flag))
    # RestrictSUIDSGID=
    for bit in (0o4000, 0o2000):
        for call, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2)):
            refuse(rules, call, errno.EPERM, seccomp.Arg(argument, masked, bit, bit))
    # LockPersonality=
    refuse(rules, "personality", errno.EPERM, seccomp.Arg(0, different, 0))

    calls = seccomp.SyscallFilter(seccomp.KILL_PROCESS)
    for call in sorted(listed_calls(settings)):
        number = seccomp.resolve_syscall(seccomp.Arch(), call)
        # Calls of other processors, and those newer than this libseccomp.
        if number >= 0:
            calls.add_rule(seccomp.ALLOW, number)
    return [rules, calls]


def enter(settings, command):
    """Inside the sandbox: filters the system calls, and becomes the program."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "jobbroker"}
    for name in ("LISTEN_FDS", "NOTIFY_SOCKET", "WATCHDOG_USEC"):
        if name in os.environ:
            environment[name] = os.environ[name]
    environment |= dict(value.split("=", 1) for value in settings["Environment"])
    if "LISTEN_FDS" in environment:
        os.set_inheritable(3, True)
        environment["LISTEN_PID"] = str(os.getpid())
    os.umask(0o077)
    for each in filters(settings):
        each.load()
    os.execve(command[0], command, environment)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="confined.py UNIT [DROP-IN...] --state DIR --sockets DIR --user ID -- PROGRAM [ARGUMENT...]")
    parser.add_argument("units", nargs="+")
    parser.add_argument("--state")
    parser.add_argument("--sockets")
    parser.add_argument("--user", type=int)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    own, command = sys.argv[1:], []
    if "--" in own:
        own, command = own[:own.index("--")], own[own.index("--") + 1:]
    options = parser.parse_args(own)
    if not command:
        parser.error("no program")
    settings = read_service(options.units)
    if options.inside:
        enter(settings, command)
    outside = sandbox(settings, options, command[0])
    inside = [sys.executable, os.path.abspath(__file__), *map(os.path.abspath, options.units), "--inside", "--"]
    os.execv(outside[0], outside + inside + command)


main()

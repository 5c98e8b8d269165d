"""What the checks share: the tree, source text without comments and strings, and how findings are told."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def tracked(*patterns):
    """Files git knows or would take (so that a new file is checked before its first commit), by glob."""
    command = ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(n for n in names if n and os.path.exists(os.path.join(ROOT, n)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


# Raw strings, comments, strings and character literals of C++; backtick templates of TypeScript.
_TOKENS = re.compile(
    r'R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"'
    r"|//[^\n]*"
    r"|/\*.*?\*/"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'"
    r"|`(?:\\.|[^`\\])*`",
    re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """Same lines and columns; comments are blanks. Strings stay."""

    def keep_strings(match):
        token = match.group(0)
        return _blank(token) if token.startswith(("//", "/*")) else token

    return _TOKENS.sub(keep_strings, text)


def without_comments_and_strings(text):
    """Same lines and columns; comments and what stands in quotes are blanks."""
    return _TOKENS.sub(lambda match: _blank(match.group(0)), text)


def finish(name, findings, looked_at):
    """Ends the process: findings one a line, or a line that says what was looked at."""
    for finding in findings:
        print(finding)
    if findings:
        print(f"{name}: {len(findings)} found")
        sys.exit(1)
    print(f"{name}: ok ({looked_at})")


def self_test(name, cases):
    """cases: (what, findings expected?, findings). A check that cannot fail is a defect."""
    wrong = [what for what, expected, findings in cases if bool(findings) != expected]
    for what in wrong:
        print(f"{name} --self-test: wrong about {what}")
    if wrong:
        sys.exit(1)
    print(f"{name} --self-test: ok ({len(cases)} cases)")

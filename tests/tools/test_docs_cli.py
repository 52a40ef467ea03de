#!/usr/bin/env python3
"""docs/cli.md and the man page name every command and option of the command line, and none that there is not.

What there is comes from the tables in src/cli, which --help prints. An option is named in the row of its command in
docs/cli.md or in a section whose title names the command; in the man page below the command. An entry that says "the options
of scan" has those, too.
"""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPTION = re.compile(r"--([a-z][a-z-]*)")
EVERYWHERE = {"source"}  # of commands that take one dataset or many: written once, under Rules


def table_of_commands():
    """{command: set of options}, and the options of every command."""
    commands, common = {}, set()
    for path in sorted((ROOT / "src" / "cli").glob("*.c")):
        text = path.read_text()
        lists = {name: set(re.findall(r'^\s*\{"([a-z-]+)",', body, re.M))
                 for name, body in re.findall(r"lochan_cli_option (\w+)\[\] = \{\n(.*?)^\};", text, re.S | re.M)}
        common |= lists.get("lochan_cli__common_options", set())
        for body in re.findall(r"^const lochan_cli_command lochan_cli__\w+ = \{(.*?)^\};", text, re.S | re.M):
            name = re.search(r'\.name = "([^"]+)"', body).group(1)
            used = re.search(r"\.options = (\w+)", body)
            commands[name] = lists[used.group(1)] if used else set()
    return commands, common


COMMANDS, COMMON = table_of_commands()


def commands_in(spans):
    """The commands that pieces of text begin with: "dataset enable|disable NAME" are two."""
    found = []
    for span in spans:
        words = span.replace("\\|", "|").split()
        heads, longer = [], [""]
        for word in words[:2]:
            longer = [f"{head} {one}".strip() for head in longer for one in word.split("|")]
            heads += longer
        found += sorted({head for head in heads if head in COMMANDS} - set(found))
    return found


def named(text):
    """The options a text names, but for those behind another command (`verify --deep`), and those that it points to."""
    text = re.sub(r"`(?:lochan )?[a-z][a-z-]* --[^`]*`", "", text)
    pointed = re.findall(r"the options of `?([a-z]+)", text)
    return set(OPTION.findall(text)), set().union(*(COMMANDS[other] for other in pointed))


def manual():
    """[(commands, options)] of the rows and the sections of docs/cli.md."""
    text = (ROOT / "docs" / "cli.md").read_text()
    rows = text.split("\n## Commands\n")[1].split("\n### ")[0]
    entries = []
    for row in re.findall(r"^\| `.*$", rows, re.M):
        head = re.split(r"(?<!\\)\|", row)[1]
        entries.append((commands_in(re.findall(r"`([^`]+)`", head)), named(row)))
    sections = re.findall(r"^### ([^\n]+)\n(.*?)(?=^##)", text, re.S | re.M)
    of_sections = [([c for c in COMMANDS for word in title.split(", ") if c == word or c.startswith(word + " ")], named(body))
                   for title, body in sections]
    return entries, of_sections


def man_page():
    text = (ROOT / "docs" / "man" / "lochan.1").read_text().replace("\\-", "-")
    text = text.split(".SH COMMANDS\n")[1].split(".SH OPTIONS\n")[0]
    entries = []
    for entry in text.split(".TP\n")[1:]:
        head = entry.split("\n")[0]
        entries.append((commands_in(re.findall(r"\\fB(.*?)\\fP", head)), named(re.sub(r"\\f[BIPR]", "", entry))))
    return entries


class DocsTest(unittest.TestCase):
    maxDiff = None

    def compare(self, entries, sections=()):
        told = {}
        for entry, (commands, (options, pointed)) in enumerate([*entries, *sections]):
            self.assertTrue(commands, "an entry that names no command")
            there = set().union(*(COMMANDS[c] for c in commands)) | COMMON
            self.assertEqual(options - there, set(), f"options that {commands} do not have")
            for command in commands:
                self.assertTrue(command not in told or entry >= len(entries), f"{command} is named twice")
                told.setdefault(command, set()).update(options | pointed)
        self.assertEqual(sorted(set(COMMANDS) - set(told)), [], "commands that are not named")
        lacking = {command: sorted(options - told[command] - EVERYWHERE) for command, options in COMMANDS.items()}
        self.assertEqual({command: options for command, options in lacking.items() if options}, {}, "options that are not named")

    def test_the_tables_are_read(self):
        self.assertGreater(len(COMMANDS), 60)
        self.assertIn("known-as-of", COMMANDS["scan"])
        self.assertIn("stop-on-failure", COMMANDS["update"])
        self.assertIn("json", COMMON)
        listed = re.findall(r"^    &lochan_cli__", (ROOT / "src" / "cli" / "commands.c").read_text(), re.M)
        self.assertEqual(len(listed), len(COMMANDS))

    def test_the_manual(self):
        self.compare(*manual())

    def test_the_man_page(self):
        self.compare(man_page())

    def test_options_of_every_command(self):
        manual_text = (ROOT / "docs" / "cli.md").read_text().split("Options of every command:")[1].split("\n## ")[0]
        man_text = (ROOT / "docs" / "man" / "lochan.1").read_text().replace("\\-", "-").split(".SH OPTIONS\n")[1].split(".SH ")[0]
        for option in COMMON:
            self.assertIn(f"--{option}", manual_text)
            self.assertIn(f"--{option}", man_text)

    def test_exit_codes(self):
        codes = set(re.findall(r"\b(\d+) ", re.search(r"Exit codes: (.*?)\\n\"\);", (ROOT / "src/cli/help.c").read_text(), re.S).group(1)))
        manual_text = (ROOT / "docs" / "cli.md").read_text().split("\n## Exit codes\n")[1].split("\n## ")[0]
        man_text = (ROOT / "docs" / "man" / "lochan.1").read_text().split(".SH EXIT STATUS\n")[1].split(".SH ")[0]
        self.assertEqual(set(re.findall(r"^\| (\d+) \|", manual_text, re.M)), codes)
        self.assertEqual(set(re.findall(r"^\.B (\d+)$", man_text, re.M)), codes)


if __name__ == "__main__":
    unittest.main(verbosity=2)

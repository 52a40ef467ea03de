"""tools/check is fed small trees with one fault each, and must find just that."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "check")

GOOD = {
    "CMakeLists.txt": "set(LOCHAN_LAYERS base arrow store)\n",
    "include/lochan/error.h": "/* error.h */\n#ifndef E_H\n#define E_H\n#include <stdint.h>\n"
                              "int lochan_x(void);\n#endif\n",
    "src/base/mem.h": "/* mem.h */\n#ifndef M_H\n#define M_H\n#include <lochan/error.h>\nvoid *lochan_mem__a(void);\n#endif\n",
    "src/base/mem.c": '/* mem.c */\n#include "base/mem.h"\n#include <stdlib.h>\n\n'
                      "void *lochan_mem__a(void) {\n    return malloc(1);\n}\n",
    "src/arrow/a.c": '/* a.c: "malloc(1)" in a comment is fine */\n#include "base/mem.h"\n\nstatic const char *text = "free(";\n\n'
                     "int lochan_a(void) {\n    return text != lochan_mem__a();\n}\n",
    "src/cli/main.c": '/* main.c */\n#include <lochan/error.h>\n#include <stdio.h>\n\n'
                      'int main(void) {\n    printf("hello\\n");\n    return 0;\n}\n',
}


def run_check(files, *arguments):
    """The exit code and output of tools/check on GOOD changed by `files`."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD, **files}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        done = subprocess.run([sys.executable, CHECK, "--root", root, *arguments], capture_output=True, text=True)
        ratchet = os.path.join(root, "tools/ratchet.txt")
        kept = ""
        if os.path.exists(ratchet):
            with open(ratchet, encoding="utf-8") as f:
                kept = f.read()
        return done.returncode, done.stdout + done.stderr, kept


def function_of(lines):
    return "/* f */\nint lochan_f(void) {\n" + "    ;\n" * (lines - 2) + "}\n"


class TestCheck(unittest.TestCase):
    def finds(self, files, pattern, only="layers,rules"):
        code, out, _ = run_check(files, "--only", only)
        self.assertEqual(code, 1, out)
        self.assertTrue(re.search(pattern, out), f"{pattern!r} is not in:\n{out}")
        problems = [line for line in out.splitlines() if not line.startswith("check: ")]
        self.assertEqual(len(problems), 1, out)

    def passes(self, files, only="layers,rules"):
        code, out, _ = run_check(files, "--only", only)
        self.assertEqual(code, 0, out)

    def test_good_tree_passes(self):
        self.passes({}, "layers,rules,headers")

    def test_upward_include_fails(self):
        self.finds({"src/arrow/b.h": "/* b */\n",
                    "src/base/x.c": '/* x */\n\n#include "arrow/b.h"\n'}, r"src/base/x.c:3: .*base may not include arrow")

    def test_command_sees_only_the_public_api(self):
        self.finds({"src/cli/x.c": '/* x */\n#include "base/mem.h"\n'}, "src/cli/x.c:2: .*only <lochan/")

    def test_include_without_layer_fails(self):
        self.finds({"src/base/x.c": '/* x */\n#include "mem.h"\n'}, "write includes from src/")

    def test_missing_include_fails(self):
        self.finds({"src/base/x.c": '/* x */\n#include "base/none.h"\n'}, "no such file")

    def test_unknown_layer_fails(self):
        self.finds({"src/util/x.c": "/* x */\n"}, "src/util is no layer")

    def test_foreign_header_in_wrong_layer_fails(self):
        self.finds({"src/arrow/x.c": "/* x */\n#include <sqlite3.h>\n"}, "belongs to catalog, not to arrow")

    def test_public_header_includes_internal_one(self):
        self.finds({"include/lochan/x.h": '/* x */\n#include "base/mem.h"\n'}, "a public header includes only")

    def test_public_header_declares_internal_name(self):
        self.finds({"include/lochan/x.h": "/* x */\nint lochan_x__y(int a);\n"}, "x.h:2: internal name")

    def test_example_includes_internal_header(self):
        self.finds({"examples/x.c": '/* x */\n#include "base/mem.h"\n'}, "an example uses only")

    def test_banned_calls_fail(self):
        for call in ("malloc(1)", "free(p)", "strdup(p)", "sprintf(p, p)", "strtok(p, p)", "rename(p, p)",
                     "fopen(p, p)", "time(0)", "rand()", "abort()", "assert(0)", "exit(1)", "printf(p)", "strtod(p, 0)"):
            name = call.split("(")[0]
            self.finds({"src/arrow/x.c": f"/* x */\nvoid lochan_f(char *p) {{\n    {call};\n}}\n"},
                       rf"x.c:3: {name}\(\) is banned")

    def test_unsafe_strings_are_banned_in_the_command_too(self):
        self.finds({"src/cli/x.c": "/* x */\nvoid f(char *p) {\n    strcpy(p, p);\n}\n"}, r"strcpy\(\) is banned")

    def test_members_and_longer_names_are_not_banned(self):
        self.passes({"src/arrow/x.c": "/* x */\nvoid lochan_f(struct t *t) {\n    t->free(t);\n    t->fs.open(t);\n"
                                      "    my_malloc(1);\n    _Static_assert(1, \"\");\n}\n"})

    def test_goto_other_than_done_fails(self):
        self.finds({"src/arrow/x.c": "/* x */\nvoid lochan_f(void) {\n    goto out;\nout:\n    ;\n}\n"}, "goto out")

    def test_export_in_source_file_fails(self):
        self.finds({"src/arrow/x.c": "/* x */\nLOCHAN_API void lochan_f(void);\n"}, "LOCHAN_API belongs to")

    def test_file_without_opening_comment_fails(self):
        self.finds({"src/arrow/x.c": "int lochan_x;\n"}, "opens with a comment")

    def test_unfinished_work_fails(self):
        self.finds({"src/arrow/x.c": "/* x */\n/* TO" "DO: more */\n"}, "x.c:2: unfinished")

    def test_machine_path_fails(self):
        self.finds({"docs/x.md": "see /ro" "ot/notes\n"}, "a path of one machine")

    def test_blanks_fail(self):
        self.finds({"docs/x.md": "one \n"}, "blank at the end of the line")
        self.finds({"docs/x.md": "one\ttwo\n"}, "tab")
        self.finds({"docs/x.md": "one"}, "no newline at the end")

    def test_long_file_fails(self):
        self.passes({"src/arrow/x.c": "/* x */\n" * 1000})
        self.finds({"src/arrow/x.c": "/* x */\n" * 1001}, "file has 1001 lines, the limit is 1000")

    def test_long_function_fails(self):
        self.passes({"src/arrow/x.c": function_of(120)})
        self.finds({"src/arrow/x.c": function_of(121)}, "x.c:2: function lochan_f has 121 lines")

    def test_long_table_is_no_function(self):
        self.passes({"src/arrow/x.c": "/* x */\nstatic const int t[] = {\n" + "    F(1),\n" * 200 + "};\n"})

    def test_function_in_extern_c_is_seen(self):
        self.finds({"src/arrow/x.c": '/* x */\n#ifdef __cplusplus\nextern "C" {\n#endif\n' + function_of(121)[8:] +
                                     "#ifdef __cplusplus\n}\n#endif\n"}, "function lochan_f has 121 lines")

    def test_ratchet_allows_what_it_lists(self):
        self.passes({"src/arrow/x.c": function_of(130), "tools/ratchet.txt": "function src/arrow/x.c:lochan_f 130\n"})

    def test_ratchet_refuses_growth(self):
        self.finds({"src/arrow/x.c": function_of(131), "tools/ratchet.txt": "function src/arrow/x.c:lochan_f 130\n"},
                   "131 lines, the limit is 130")

    def test_ratchet_must_follow_what_shrank(self):
        self.finds({"src/arrow/x.c": function_of(125), "tools/ratchet.txt": "function src/arrow/x.c:lochan_f 130\n"},
                   "shrank from 130 to 125")
        self.finds({"tools/ratchet.txt": "lines src/arrow/x.c 1200\n"}, "within the limit now")

    def test_tighten_lowers_and_never_adds(self):
        files = {"src/arrow/x.c": function_of(125), "src/arrow/y.c": function_of(200),
                 "tools/ratchet.txt": "# why\nfunction src/arrow/x.c:lochan_f 130\nlines src/arrow/z.c 1200\n"}
        _, _, kept = run_check(files, "--tighten")
        self.assertEqual(kept, "# why\nfunction src/arrow/x.c:lochan_f 125\n")

    def test_header_that_needs_another_fails(self):
        self.finds({"src/base/x.h": "/* x */\nsize_t lochan_x__y(void);\n"}, "src/base/x.h:1: does not compile alone",
                   "headers")

    def test_header_without_guard_fails(self):
        self.finds({"src/base/x.h": "/* x */\nstruct lochan_x { int a; };\n"}, "does not compile alone", "headers")

    def test_public_header_must_be_cxx(self):
        self.finds({"include/lochan/x.h": "#ifndef X\n#define X\nint lochan_x(int class);\n#endif\n"},
                   r"does not compile alone \(\S+ -std=c\+\+11\)", "headers")

    def test_unknown_group_is_refused(self):
        code, out, _ = run_check({}, "--only", "nothing")
        self.assertEqual(code, 2, out)


if __name__ == "__main__":
    unittest.main()

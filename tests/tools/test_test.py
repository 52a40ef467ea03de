"""tools/test counts what the test programs print."""
import importlib.machinery
import importlib.util
import os
import unittest

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "test")
loader = importlib.machinery.SourceFileLoader("runner", PATH)
runner = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
loader.exec_module(runner)


def case(name, result):
    ends = {"ok": "[       OK ]", "failed": "[  FAILED  ]", "skipped": "[  SKIPPED ]"}
    return [f"[ RUN      ] {name}"] + ([f"{ends[result]} {name}"] if result in ends else [])


class TestCount(unittest.TestCase):
    def counts(self, output, passed):
        return runner.count_program(list(output), passed).line()

    def test_cases_are_counted_not_programs(self):
        self.assertEqual(self.counts(case("a", "ok") + case("b", "ok"), True), "2 passed, 0 failed")

    def test_failed_and_skipped_cases(self):
        output = case("a", "ok") + case("b", "failed") + case("c", "skipped")
        summary = ["[  SKIPPED ] 1 test(s), listed below:", "[  SKIPPED ] c", "[  FAILED  ] 1 test(s)", "[  FAILED  ] b"]
        self.assertEqual(self.counts(output + summary, False), "1 passed, 1 failed, 1 skipped")

    def test_case_that_crashes_fails(self):
        self.assertEqual(self.counts(case("a", "ok") + case("b", "failed") + case("c", "crash"), False),
                         "1 passed, 2 failed")

    def test_leak_after_the_cases_fails(self):
        self.assertEqual(self.counts(case("a", "ok") + ["LeakSanitizer: ..."], False), "1 passed, 1 failed")

    def test_output_repeated_by_a_child_counts_once(self):
        self.assertEqual(self.counts(case("a", "ok") + case("a", "ok"), True), "1 passed, 0 failed")

    def test_text_before_the_result_on_its_line(self):
        self.assertEqual(self.counts(["[ RUN      ] a", "half a line[       OK ] a"], True), "1 passed, 0 failed")

    def test_other_program_counts_one(self):
        self.assertEqual(self.counts(["hello"], True), "1 passed, 0 failed")
        self.assertEqual(self.counts(["hello"], False), "0 passed, 1 failed")

    def test_program_without_cases_fails(self):
        self.assertEqual(self.counts(["[==========] Running 0 test(s)."], True), "0 passed, 1 failed")


if __name__ == "__main__":
    unittest.main()

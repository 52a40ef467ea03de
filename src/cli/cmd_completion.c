/* cmd_completion.c - lochan completion: the glue for each shell, and the candidates it asks for.
 * May call: cli.h, complete.h, print.h.
 */
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/print.h"

#include <string.h>

static const struct {
    const char *shell;
    const char *script;
} scripts[] = {
    /* bash cuts words at ':' and '=': what stands before the last such mark is taken off again */
    {"bash", "_lochan() {\n"
             "    local line=\"${COMP_LINE:0:COMP_POINT}\" words word\n"
             "    read -r -a words <<< \"$line\"\n"
             "    [[ \"$line\" == *[[:space:]] ]] && words+=(\"\")\n"
             "    word=\"${words[-1]}\"\n"
             "    local cut=\"${word%\"${word##*[:=]}\"}\"\n"
             "    mapfile -t COMPREPLY < <(\"${words[0]}\" completion words -- \"${words[@]:1}\" "
             "2>/dev/null)\n"
             "    COMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
             "}\n"
             "complete -o default -F _lochan lochan\n"},
    {"zsh",
     "#compdef lochan\n"
     "_lochan() {\n"
     "    local -a found\n"
     "    found=(${(f)\"$(\"${words[1]}\" completion words -- \"${(@)words[2,CURRENT]}\" "
     "2>/dev/null)\"})\n"
     "    if (( ${#found} )); then compadd -Q -a found; else _files; fi\n"
     "}\n"
     "if [ \"$funcstack[1]\" = _lochan ]; then _lochan \"$@\"; else compdef _lochan lochan; fi\n"},
    {"fish", "function __lochan_complete\n"
             "    set -l words (commandline -opc) (commandline -ct)\n"
             "    $words[1] completion words -- $words[2..-1] 2>/dev/null\n"
             "end\n"
             "complete -c lochan -a '(__lochan_complete)'\n"},
};

static lochan_status run(lochan_cli *cli) {
    lochan_cli_text text = {0};
    if (strcmp(cli->args[0], "words") == 0) {
        lochan_cli__complete(cli, cli->args + 1, cli->n_args - 1, &text);
        return lochan_cli__print_text(&text, &cli->err);
    }
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        if (strcmp(scripts[i].shell, cli->args[0]) != 0)
            continue;
        lochan_cli__adds(&text, scripts[i].script);
        return lochan_cli__print_text(&text, &cli->err);
    }
    lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "no completion for '%s'",
                     cli->args[0]);
    lochan_cli__hint(&cli->err, "there is one for bash, zsh and fish");
    return cli->err.code;
}

const lochan_cli_command lochan_cli__completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .min_args = 1,
    .max_args = 4096,
    .summary = "print what makes the shell complete commands and names",
    .details =
        "Put its output where the shell looks for it, or read it at the start of a session.\n"
        "The scripts ask 'lochan completion words -- WORD ...' for what can stand for the "
        "last word;\n"
        "this reads the lake and changes nothing.",
    .example = "source <(lochan completion bash)\n"
               "lochan completion zsh > ~/.zfunc/_lochan\n"
               "lochan completion fish > ~/.config/fish/completions/lochan.fish",
    .run = run,
};

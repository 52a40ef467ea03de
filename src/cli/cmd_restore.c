/* cmd_restore.c - lochan restore: a lake from a backup. May call: cli.h, print.h, progress.h. */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/progress.h"

static lochan_status print_report(lochan_cli *cli, const lochan_restore_report *r, bool verified) {
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "snapshot_id", r->snapshot_id);
        lochan_cli__put_int(&o, "files", r->files);
        lochan_cli__put_int(&o, "bytes", r->bytes);
        lochan_cli__put_int(&o, "forgotten", r->forgotten);
        lochan_cli__put_bool(&o, "verified", verified);
        lochan_cli__put_int(&o, "problems", r->problems);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__note(cli, "snapshot %lld: %lld files, %lld bytes%s", (long long)r->snapshot_id,
                     (long long)r->files, (long long)r->bytes, verified ? ", verified" : "");
    if (r->forgotten > 0)
        lochan_cli__note(cli, "%lld older snapshots were not backed up and are forgotten",
                         (long long)r->forgotten);
    return LOCHAN_OK;
}

static lochan_status run(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"kind", "problem", 0},    {"source", "source", 0},
                                                {"dataset", "dataset", 0}, {"path", "path", 0},
                                                {"detail", "detail", 0},   {0}};
    lochan_restore_options options = LOCHAN_RESTORE_OPTIONS_INIT;
    lochan_restore_report r;
    struct ArrowArrayStream problems = {0};
    lochan_cli_progress progress;
    options.verify = lochan_cli__has(cli, "verify");
    options.link = lochan_cli__has(cli, "link");
    lochan_cli__start_progress(&progress, cli, "restore");
    options.progress = lochan_cli__on_verify;
    options.payload = &progress;
    lochan_status rc =
        lochan_lake_restore(cli->args[0], cli->args[1], NULL, &options, &r, &problems, &cli->err);
    lochan_cli__wipe_progress();
    if (rc == LOCHAN_OK && r.problems > 0)
        rc = lochan_cli__print_list(cli, &problems, columns, "");
    else if (problems.release)
        problems.release(&problems);
    if (rc == LOCHAN_OK)
        rc = print_report(cli, &r, options.verify);
    if (rc == LOCHAN_OK && r.problems > 0)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_CORRUPT, "the restored lake has %lld problems",
                              (long long)r.problems);
    return rc;
}

static const lochan_cli_option options[] = {
    {"verify", NULL, "read everything back, to the last page"},
    {"link", NULL, "hard links instead of copies, where the file system has them"},
    {0},
};

const lochan_cli_command lochan_cli__restore = {
    .name = "restore",
    .arguments = "BACKUP DIR",
    .min_args = 2,
    .max_args = 2,
    .summary = "make a lake from a backup",
    .details = "DIR must be new or empty; a restore that was cut off can be repeated.",
    .example = "lochan restore /mnt/disk/lake-backup /data/lake --verify",
    .options = options,
    .run = run,
};

/* cmd_backup.c - lochan backup: a copy of the lake, brought up to date. May call: cli.h, print.h,
 * progress.h. */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/progress.h"

static lochan_status run(lochan_cli *cli) {
    lochan_backup_options options = LOCHAN_BACKUP_OPTIONS_INIT;
    lochan_backup_report r;
    lochan_cli_progress progress;
    options.all = lochan_cli__has(cli, "all");
    options.link = lochan_cli__has(cli, "link");
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli__start_progress(&progress, cli, "backup");
    options.progress = lochan_cli__on_verify;
    options.payload = &progress;
    rc = lochan_lake_backup(cli->lake, cli->args[0], &options, &r, &cli->err);
    lochan_cli__wipe_progress();
    if (rc != LOCHAN_OK)
        return rc;
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "snapshot_id", r.snapshot_id);
        lochan_cli__put_int(&o, "files", r.files);
        lochan_cli__put_int(&o, "bytes", r.bytes);
        lochan_cli__put_int(&o, "files_copied", r.files_copied);
        lochan_cli__put_int(&o, "bytes_copied", r.bytes_copied);
        lochan_cli__put_int(&o, "files_removed", r.files_removed);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__note(cli, "snapshot %lld: %lld files, %lld of them new (%lld bytes), %lld removed",
                     (long long)r.snapshot_id, (long long)r.files, (long long)r.files_copied,
                     (long long)r.bytes_copied, (long long)r.files_removed);
    return LOCHAN_OK;
}

static const lochan_cli_option options[] = {
    {"all", NULL, "also the files of older snapshots, tagged or not"},
    {"link", NULL, "hard links instead of copies, where the file system has them"},
    {0},
};

const lochan_cli_command lochan_cli__backup = {
    .name = "backup",
    .arguments = "DIR",
    .min_args = 1,
    .max_args = 1,
    .summary = "copy the lake into a folder, or bring that copy up to date",
    .details = "Catalog, journal and the files of the newest snapshot and of every tag. A second "
               "backup into the same folder copies\n"
               "only what is new. Cut off anywhere, the backup before is still whole.",
    .example = "lochan backup /mnt/disk/lake-backup\n"
               "lochan restore /mnt/disk/lake-backup /data/lake --verify",
    .options = options,
    .run = run,
};

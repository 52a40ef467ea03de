/* lochan.h - the whole public API. Limits and promises: README.md, docs/architecture.md. */
#ifndef LOCHAN_H
#define LOCHAN_H

#include <lochan/arrow.h>
#include <lochan/error.h>
#include <lochan/feed.h>
#include <lochan/lake.h>
#include <lochan/log.h>
#include <lochan/parquet.h>
#include <lochan/run.h>
#include <lochan/source.h>
#include <lochan/update.h>

#endif

#!/usr/bin/env bash
# Prepares a job of any type: hands it to the script named for the type.
exec "$(dirname "${BASH_SOURCE[0]}")/${JOB_TYPE:?}.sh"

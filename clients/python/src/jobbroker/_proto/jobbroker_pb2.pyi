from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

ALREADY_EXISTS: ErrorCode
CANCELLED: Status
CAUSE_CANCELLED: Cause
CAUSE_FAILED: Cause
CAUSE_LOST: Cause
CAUSE_RELEASED: Cause
CAUSE_UNKNOWN: Cause
COMPLETE: Status
DESCRIPTOR: _descriptor.FileDescriptor
ERROR_UNKNOWN: ErrorCode
FAILED: Status
INTERNAL: ErrorCode
INVALID_ARGUMENT: ErrorCode
JOB_FINISHED: ErrorCode
NOT_FOUND: ErrorCode
PENDING: Status
PERMISSION_DENIED: ErrorCode
PROCESSING: Status
RESOURCE_EXHAUSTED: ErrorCode
STALE_CLAIM: ErrorCode
STATUS_UNKNOWN: Status
UNAVAILABLE: ErrorCode
UNKNOWN_OUTCOME: ErrorCode
UNSUPPORTED: ErrorCode

class Attempt(_message.Message):
    __slots__ = ["attempt", "cause", "ended_at", "error", "started_at", "worker"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    cause: Cause
    ended_at: int
    error: str
    started_at: int
    worker: Holder
    def __init__(self, attempt: _Optional[int] = ..., worker: _Optional[_Union[Holder, _Mapping]] = ..., started_at: _Optional[int] = ..., ended_at: _Optional[int] = ..., cause: _Optional[_Union[Cause, str]] = ..., error: _Optional[str] = ...) -> None: ...

class Backup(_message.Message):
    __slots__ = ["path"]
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ["id"]
    ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    def __init__(self, id: _Optional[bytes] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ["lease_ms", "max_jobs", "types", "wait_ms"]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_JOBS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    lease_ms: int
    max_jobs: int
    types: _containers.RepeatedScalarFieldContainer[str]
    wait_ms: int
    def __init__(self, types: _Optional[_Iterable[str]] = ..., max_jobs: _Optional[int] = ..., wait_ms: _Optional[int] = ..., lease_ms: _Optional[int] = ...) -> None: ...

class Claimed(_message.Message):
    __slots__ = ["jobs"]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ...) -> None: ...

class Complete(_message.Message):
    __slots__ = ["attempt", "id", "result"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    id: bytes
    result: str
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., result: _Optional[str] = ...) -> None: ...

class Count(_message.Message):
    __slots__ = ["count"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class Create(_message.Message):
    __slots__ = ["jobs"]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[NewJob]
    def __init__(self, jobs: _Optional[_Iterable[_Union[NewJob, _Mapping]]] = ...) -> None: ...

class Created(_message.Message):
    __slots__ = ["jobs"]
    class Entry(_message.Message):
        __slots__ = ["created", "job"]
        CREATED_FIELD_NUMBER: _ClassVar[int]
        JOB_FIELD_NUMBER: _ClassVar[int]
        created: bool
        job: Job
        def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ..., created: bool = ...) -> None: ...
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Created.Entry]
    def __init__(self, jobs: _Optional[_Iterable[_Union[Created.Entry, _Mapping]]] = ...) -> None: ...

class Delete(_message.Message):
    __slots__ = ["id"]
    ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    def __init__(self, id: _Optional[bytes] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Error(_message.Message):
    __slots__ = ["code", "job", "message"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: ErrorCode
    job: Job
    message: str
    def __init__(self, code: _Optional[_Union[ErrorCode, str]] = ..., message: _Optional[str] = ..., job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ["changed", "deleted", "resync"]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    RESYNC_FIELD_NUMBER: _ClassVar[int]
    changed: Job
    deleted: bytes
    resync: bool
    def __init__(self, changed: _Optional[_Union[Job, _Mapping]] = ..., deleted: _Optional[bytes] = ..., resync: bool = ...) -> None: ...

class Fail(_message.Message):
    __slots__ = ["attempt", "error", "id", "retryable"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    error: str
    id: bytes
    retryable: bool
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., error: _Optional[str] = ..., retryable: bool = ...) -> None: ...

class Get(_message.Message):
    __slots__ = ["id"]
    ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    def __init__(self, id: _Optional[bytes] = ...) -> None: ...

class GetStats(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Hello(_message.Message):
    __slots__ = ["client", "protocol_version", "read_only", "worker_name"]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    WORKER_NAME_FIELD_NUMBER: _ClassVar[int]
    client: str
    protocol_version: int
    read_only: bool
    worker_name: str
    def __init__(self, protocol_version: _Optional[int] = ..., client: _Optional[str] = ..., worker_name: _Optional[str] = ..., read_only: bool = ...) -> None: ...

class Holder(_message.Message):
    __slots__ = ["name", "pid", "uid"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    name: str
    pid: int
    uid: int
    def __init__(self, name: _Optional[str] = ..., pid: _Optional[int] = ..., uid: _Optional[int] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ["attempt", "created_at", "error", "finished_at", "history", "id", "lease_expires_at", "lost_count", "max_lost", "max_retries", "metadata", "not_before", "priority", "progress", "result", "retry_count", "sequence", "stage", "started_at", "status", "type", "unique_key", "updated_at", "worker"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    LOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_LOST_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_KEY_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    created_at: int
    error: str
    finished_at: int
    history: _containers.RepeatedCompositeFieldContainer[Attempt]
    id: bytes
    lease_expires_at: int
    lost_count: int
    max_lost: int
    max_retries: int
    metadata: str
    not_before: int
    priority: int
    progress: float
    result: str
    retry_count: int
    sequence: int
    stage: str
    started_at: int
    status: Status
    type: str
    unique_key: str
    updated_at: int
    worker: Holder
    def __init__(self, id: _Optional[bytes] = ..., type: _Optional[str] = ..., status: _Optional[_Union[Status, str]] = ..., progress: _Optional[float] = ..., stage: _Optional[str] = ..., metadata: _Optional[str] = ..., result: _Optional[str] = ..., error: _Optional[str] = ..., retry_count: _Optional[int] = ..., max_retries: _Optional[int] = ..., lost_count: _Optional[int] = ..., max_lost: _Optional[int] = ..., priority: _Optional[int] = ..., not_before: _Optional[int] = ..., unique_key: _Optional[str] = ..., attempt: _Optional[int] = ..., worker: _Optional[_Union[Holder, _Mapping]] = ..., lease_expires_at: _Optional[int] = ..., created_at: _Optional[int] = ..., updated_at: _Optional[int] = ..., started_at: _Optional[int] = ..., finished_at: _Optional[int] = ..., history: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., sequence: _Optional[int] = ...) -> None: ...

class JobList(_message.Message):
    __slots__ = ["jobs", "next_cursor"]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    next_cursor: int
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ..., next_cursor: _Optional[int] = ...) -> None: ...

class List(_message.Message):
    __slots__ = ["cursor", "id_prefix", "limit", "status", "type"]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    cursor: int
    id_prefix: str
    limit: int
    status: Status
    type: str
    def __init__(self, status: _Optional[_Union[Status, str]] = ..., type: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[int] = ..., id_prefix: _Optional[str] = ...) -> None: ...

class ListWorkers(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class NewJob(_message.Message):
    __slots__ = ["id", "max_lost", "max_retries", "metadata", "not_before", "priority", "type", "unique_key"]
    ID_FIELD_NUMBER: _ClassVar[int]
    MAX_LOST_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_KEY_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    max_lost: int
    max_retries: int
    metadata: str
    not_before: int
    priority: int
    type: str
    unique_key: str
    def __init__(self, id: _Optional[bytes] = ..., type: _Optional[str] = ..., metadata: _Optional[str] = ..., priority: _Optional[int] = ..., max_retries: _Optional[int] = ..., max_lost: _Optional[int] = ..., not_before: _Optional[int] = ..., unique_key: _Optional[str] = ...) -> None: ...

class Pause(_message.Message):
    __slots__ = ["type"]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    type: str
    def __init__(self, type: _Optional[str] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Pong(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Position(_message.Message):
    __slots__ = ["id"]
    ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    def __init__(self, id: _Optional[bytes] = ...) -> None: ...

class Prune(_message.Message):
    __slots__ = ["older_than_ms", "status", "type"]
    OLDER_THAN_MS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    older_than_ms: int
    status: Status
    type: str
    def __init__(self, older_than_ms: _Optional[int] = ..., status: _Optional[_Union[Status, str]] = ..., type: _Optional[str] = ...) -> None: ...

class QueuePosition(_message.Message):
    __slots__ = ["position", "position_in_type"]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    POSITION_IN_TYPE_FIELD_NUMBER: _ClassVar[int]
    position: int
    position_in_type: int
    def __init__(self, position: _Optional[int] = ..., position_in_type: _Optional[int] = ...) -> None: ...

class Reap(_message.Message):
    __slots__ = ["timeout_ms", "type"]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    timeout_ms: int
    type: str
    def __init__(self, timeout_ms: _Optional[int] = ..., type: _Optional[str] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ["attempt", "delay_ms", "id"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    delay_ms: int
    id: bytes
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., delay_ms: _Optional[int] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ["backup", "cancel", "claim", "complete", "create", "delete", "fail", "get", "hello", "id", "list", "pause", "ping", "position", "prune", "reap", "release", "resume", "retry", "stats", "unwatch", "update", "watch", "withdraw", "workers"]
    BACKUP_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    CREATE_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    FAIL_FIELD_NUMBER: _ClassVar[int]
    GET_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PRUNE_FIELD_NUMBER: _ClassVar[int]
    REAP_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    UNWATCH_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    backup: Backup
    cancel: Cancel
    claim: Claim
    complete: Complete
    create: Create
    delete: Delete
    fail: Fail
    get: Get
    hello: Hello
    id: int
    list: List
    pause: Pause
    ping: Ping
    position: Position
    prune: Prune
    reap: Reap
    release: Release
    resume: Resume
    retry: Retry
    stats: GetStats
    unwatch: Unwatch
    update: Update
    watch: Watch
    withdraw: Withdraw
    workers: ListWorkers
    def __init__(self, id: _Optional[int] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., create: _Optional[_Union[Create, _Mapping]] = ..., get: _Optional[_Union[Get, _Mapping]] = ..., list: _Optional[_Union[List, _Mapping]] = ..., update: _Optional[_Union[Update, _Mapping]] = ..., complete: _Optional[_Union[Complete, _Mapping]] = ..., fail: _Optional[_Union[Fail, _Mapping]] = ..., release: _Optional[_Union[Release, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., delete: _Optional[_Union[Delete, _Mapping]] = ..., claim: _Optional[_Union[Claim, _Mapping]] = ..., reap: _Optional[_Union[Reap, _Mapping]] = ..., position: _Optional[_Union[Position, _Mapping]] = ..., watch: _Optional[_Union[Watch, _Mapping]] = ..., unwatch: _Optional[_Union[Unwatch, _Mapping]] = ..., stats: _Optional[_Union[GetStats, _Mapping]] = ..., workers: _Optional[_Union[ListWorkers, _Mapping]] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ..., resume: _Optional[_Union[Resume, _Mapping]] = ..., prune: _Optional[_Union[Prune, _Mapping]] = ..., backup: _Optional[_Union[Backup, _Mapping]] = ..., withdraw: _Optional[_Union[Withdraw, _Mapping]] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ["claimed", "count", "created", "done", "error", "event", "id", "job", "jobs", "pong", "position", "revoked", "snapshot", "stats", "welcome", "workers"]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    claimed: Claimed
    count: Count
    created: Created
    done: Done
    error: Error
    event: Event
    id: int
    job: Job
    jobs: JobList
    pong: Pong
    position: QueuePosition
    revoked: Revoked
    snapshot: Snapshot
    stats: Stats
    welcome: Welcome
    workers: WorkerList
    def __init__(self, id: _Optional[int] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., welcome: _Optional[_Union[Welcome, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., created: _Optional[_Union[Created, _Mapping]] = ..., job: _Optional[_Union[Job, _Mapping]] = ..., jobs: _Optional[_Union[JobList, _Mapping]] = ..., claimed: _Optional[_Union[Claimed, _Mapping]] = ..., count: _Optional[_Union[Count, _Mapping]] = ..., position: _Optional[_Union[QueuePosition, _Mapping]] = ..., snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., event: _Optional[_Union[Event, _Mapping]] = ..., revoked: _Optional[_Union[Revoked, _Mapping]] = ..., stats: _Optional[_Union[Stats, _Mapping]] = ..., workers: _Optional[_Union[WorkerList, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ...) -> None: ...

class Resume(_message.Message):
    __slots__ = ["type"]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    type: str
    def __init__(self, type: _Optional[str] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ["id"]
    ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    def __init__(self, id: _Optional[bytes] = ...) -> None: ...

class Revoked(_message.Message):
    __slots__ = ["attempt", "id", "reason", "status"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    id: bytes
    reason: str
    status: Status
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., status: _Optional[_Union[Status, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ["jobs", "more", "truncated"]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    more: bool
    truncated: bool
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ..., more: bool = ..., truncated: bool = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ["commands", "commits", "connections", "cpu_us", "pid", "resident_bytes", "server", "store", "truncated", "types", "uptime_ms", "waiting_claims", "watches"]
    class Type(_message.Message):
        __slots__ = ["cancelled", "complete", "failed", "paused", "pending", "processing", "type"]
        CANCELLED_FIELD_NUMBER: _ClassVar[int]
        COMPLETE_FIELD_NUMBER: _ClassVar[int]
        FAILED_FIELD_NUMBER: _ClassVar[int]
        PAUSED_FIELD_NUMBER: _ClassVar[int]
        PENDING_FIELD_NUMBER: _ClassVar[int]
        PROCESSING_FIELD_NUMBER: _ClassVar[int]
        TYPE_FIELD_NUMBER: _ClassVar[int]
        cancelled: int
        complete: int
        failed: int
        paused: bool
        pending: int
        processing: int
        type: str
        def __init__(self, type: _Optional[str] = ..., pending: _Optional[int] = ..., processing: _Optional[int] = ..., complete: _Optional[int] = ..., failed: _Optional[int] = ..., cancelled: _Optional[int] = ..., paused: bool = ...) -> None: ...
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    COMMITS_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    CPU_US_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    UPTIME_MS_FIELD_NUMBER: _ClassVar[int]
    WAITING_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    WATCHES_FIELD_NUMBER: _ClassVar[int]
    commands: int
    commits: int
    connections: int
    cpu_us: int
    pid: int
    resident_bytes: int
    server: str
    store: str
    truncated: bool
    types: _containers.RepeatedCompositeFieldContainer[Stats.Type]
    uptime_ms: int
    waiting_claims: int
    watches: int
    def __init__(self, types: _Optional[_Iterable[_Union[Stats.Type, _Mapping]]] = ..., connections: _Optional[int] = ..., waiting_claims: _Optional[int] = ..., watches: _Optional[int] = ..., commits: _Optional[int] = ..., commands: _Optional[int] = ..., uptime_ms: _Optional[int] = ..., cpu_us: _Optional[int] = ..., resident_bytes: _Optional[int] = ..., server: _Optional[str] = ..., store: _Optional[str] = ..., pid: _Optional[int] = ..., truncated: bool = ...) -> None: ...

class Unwatch(_message.Message):
    __slots__ = ["watch_id"]
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    watch_id: int
    def __init__(self, watch_id: _Optional[int] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ["attempt", "clear_stage", "error", "id", "progress", "result", "retry_count", "stage", "status"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CLEAR_STAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    clear_stage: bool
    error: str
    id: bytes
    progress: float
    result: str
    retry_count: int
    stage: str
    status: Status
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., status: _Optional[_Union[Status, str]] = ..., progress: _Optional[float] = ..., stage: _Optional[str] = ..., clear_stage: bool = ..., result: _Optional[str] = ..., error: _Optional[str] = ..., retry_count: _Optional[int] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ["ids", "types"]
    IDS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[bytes]
    types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[bytes]] = ..., types: _Optional[_Iterable[str]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ["features", "max_frame", "max_in_flight", "protocol_version", "server"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAME_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    features: _containers.RepeatedScalarFieldContainer[str]
    max_frame: int
    max_in_flight: int
    protocol_version: int
    server: str
    def __init__(self, protocol_version: _Optional[int] = ..., server: _Optional[str] = ..., max_frame: _Optional[int] = ..., max_in_flight: _Optional[int] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class Withdraw(_message.Message):
    __slots__ = ["claim_id"]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    claim_id: int
    def __init__(self, claim_id: _Optional[int] = ...) -> None: ...

class WorkerList(_message.Message):
    __slots__ = ["truncated", "workers"]
    class Held(_message.Message):
        __slots__ = ["attempt", "id", "type"]
        ATTEMPT_FIELD_NUMBER: _ClassVar[int]
        ID_FIELD_NUMBER: _ClassVar[int]
        TYPE_FIELD_NUMBER: _ClassVar[int]
        attempt: int
        id: bytes
        type: str
        def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., type: _Optional[str] = ...) -> None: ...
    class Worker(_message.Message):
        __slots__ = ["client", "connected_at", "holder", "holds", "waiting", "waiting_types"]
        CLIENT_FIELD_NUMBER: _ClassVar[int]
        CONNECTED_AT_FIELD_NUMBER: _ClassVar[int]
        HOLDER_FIELD_NUMBER: _ClassVar[int]
        HOLDS_FIELD_NUMBER: _ClassVar[int]
        WAITING_FIELD_NUMBER: _ClassVar[int]
        WAITING_TYPES_FIELD_NUMBER: _ClassVar[int]
        client: str
        connected_at: int
        holder: Holder
        holds: _containers.RepeatedCompositeFieldContainer[WorkerList.Held]
        waiting: bool
        waiting_types: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, holder: _Optional[_Union[Holder, _Mapping]] = ..., client: _Optional[str] = ..., connected_at: _Optional[int] = ..., waiting: bool = ..., waiting_types: _Optional[_Iterable[str]] = ..., holds: _Optional[_Iterable[_Union[WorkerList.Held, _Mapping]]] = ...) -> None: ...
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    truncated: bool
    workers: _containers.RepeatedCompositeFieldContainer[WorkerList.Worker]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerList.Worker, _Mapping]]] = ..., truncated: bool = ...) -> None: ...

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

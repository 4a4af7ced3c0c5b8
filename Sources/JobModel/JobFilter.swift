/// Which jobs a list returns, newest first.
public struct JobFilter: Sendable, Equatable {
  /// Jobs a page holds unless the caller says otherwise.
  public static let defaultLimit = 100

  /// Only this status.
  public var status: JobStatus?
  /// Only this type.
  public var type: String?
  /// Only ids that begin with these hexadecimal digits (lower case, no dashes).
  public var idPrefix: String?
  /// At most this many, 1–1,000.
  public var limit: Int
  /// Only jobs older than this: the `nextCursor` of the page before.
  public var cursor: Int64?

  /// A filter; with no argument, the newest jobs.
  public init(
    status: JobStatus? = nil, type: String? = nil, idPrefix: String? = nil,
    limit: Int = JobFilter.defaultLimit, cursor: Int64? = nil
  ) {
    self.status = status
    self.type = type
    self.idPrefix = idPrefix
    self.limit = limit
    self.cursor = cursor
  }
}

/// One page of a list.
public struct JobPage: Sendable, Equatable {
  /// The jobs, newest first.
  public var jobs: [Job]
  /// Where the next page begins; nil on the last one.
  public var nextCursor: Int64?

  /// A page from its parts.
  public init(jobs: [Job], nextCursor: Int64?) {
    self.jobs = jobs
    self.nextCursor = nextCursor
  }
}

/// Which jobs a watch covers. With neither ids nor types: every job.
public struct WatchSelection: Sendable, Equatable {
  /// These jobs.
  public var ids: Set<JobID>
  /// Every job of these types.
  public var types: Set<TypeName>

  /// A selection; with no argument, every job.
  public init(ids: Set<JobID> = [], types: Set<TypeName> = []) {
    self.ids = ids
    self.types = types
  }

  /// Whether the watch covers a job.
  public func covers(id: JobID, type: String) -> Bool {
    ids.isEmpty && types.isEmpty || ids.contains(id) || types.contains(TypeName(type))
  }
}

/// A place in the queue, 0-based; −1 when the job is not pending, or unknown.
public struct QueuePosition: Sendable, Equatable {
  /// Among all pending jobs, in claim order.
  public var overall: Int
  /// Among the pending jobs of its type.
  public var inType: Int

  /// Not in the queue.
  public static let none = QueuePosition(overall: -1, inType: -1)

  /// A position from its parts.
  public init(overall: Int, inType: Int) {
    self.overall = overall
    self.inType = inType
  }
}

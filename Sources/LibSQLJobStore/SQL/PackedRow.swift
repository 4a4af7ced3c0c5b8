import JobModel
import JobStore

/// A job's columns in one: as a JSON array. The server says of each column of each answer what it is called and
/// declared, which is more than what is in it; so the answers that every command needs have one.
enum PackedRow {
  /// What to select instead of `columns`, one of the lists in `JobColumns`. JSON has no blobs, and SQLite writes numbers
  /// to it with 15 digits, where some need 17.
  static func columns(_ columns: String) -> String {
    let values = columns.split(separator: ", ").map { column in
      switch column {
      case "id": "hex(id)"
      case "progress": "format('%!.17g', progress)"
      default: String(column)
      }
    }
    return "json_array(\(values.joined(separator: ", "))) AS job"
  }
}

extension Job {
  /// A job from a row that begins with a packed one; nil when that holds what the schema forbids.
  ///
  /// - Parameter whole: whether the metadata was read too.
  init?(packedIn row: HranaRow, whole: Bool) {
    guard let unpacked = HranaRow(packed: row.text(0)) else { return nil }
    self.init(row: unpacked, whole: whole)
  }
}

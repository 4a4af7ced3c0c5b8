// A user of the client handles jobs, so the model comes with it.
@_exported import JobModel

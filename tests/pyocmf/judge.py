"""Lets pyocmf judge a S.A.F.E. XML file: one line of JSON for each record, then one for each transaction.

    python judge.py FILE
"""

import json
import sys

from pyocmf import OcmfContainer, PyOCMFError


def main():
    container = OcmfContainer.from_xml(sys.argv[1])
    for record in container:
        try:
            fits = record.verify_signature()
        except PyOCMFError as error:
            fits = str(error)
        print(json.dumps({"transaction": record.transaction_id, "context": record.context, "fits": fits}))
    for result in container.check_eichrecht(errors_only=True):
        issues = [str(issue.code) for issue in result.issues]
        print(json.dumps({"transaction": result.transaction_id, "records": len(result.records), "issues": issues}))


main()

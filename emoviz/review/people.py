"""Who reviews: names that were typed, logins, roles."""

import uuid
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from emoviz.errors import NotAllowedError, ReviewError
from emoviz.review import rows
from emoviz.review.database import Database
from emoviz.review.model import ROLES, Reviewer, Role
from emoviz.review.schema import about, collections, decisions, reviewers, shares, standing


class People:
    """The part of the store that knows persons, and what is hidden from them."""

    database: Database

    def reviewers(self) -> list[Reviewer]:
        """Everybody, by name."""
        query = select(reviewers).order_by(reviewers.c.name_key)
        with self.database.reading() as found:
            return [rows.reviewer_of(row) for row in found.execute(query).mappings()]

    def reviewer(self, name: str) -> Reviewer:
        """The person of that typed name, who is made where there is none yet.

        Whoever comes first may manage, so that a single curator can do everything.

        Raises:
            NotAllowedError: The name belongs to somebody who logs in.
            ReviewError: The name is empty.
        """
        name = " ".join(rows.clean(name).split())
        if not name:
            raise ReviewError("The name is empty; wanted one letter at least.")
        found = self._known(reviewers.c.name_key == name.casefold())
        if found is None:
            with self.database.writing() as made:
                found = self._made(made, name, "", None)
        if found.subject:
            raise NotAllowedError(f"The name '{name}' belongs to somebody who logs in.")
        return found

    def login(self, subject: str, name: str, manages: bool = False) -> Reviewer:
        """The person of a login, who is made where there is none yet and then waits to be let in.

        Args:
            subject: Issuer and subject.
            name: As others shall read it; gets a number where somebody else has it.
            manages: Whether the settings name this person. Who logs in manages by that alone:
                whoever is off the list manages no longer.
        """
        subject, name = rows.clean(subject), " ".join(rows.clean(name).split()) or "Somebody"
        if not subject:
            raise ReviewError("A login without a subject cannot be told from others.")
        found = self._known(reviewers.c.subject == subject)
        if found is None:
            with self.database.writing() as made:
                found = self._made(made, name, subject, "manager" if manages else "waiting")
        if found.may_manage != manages:
            found = self._with_role(found.id, "manager" if manages else "reviewer")
        return found

    def set_role(self, reviewer: int, role: Role, by: int) -> Reviewer:
        """Give somebody another role.

        Raises:
            NotAllowedError: `by` may not manage, or nobody could manage any more.
            ReviewError: There is no such role or person.
        """
        if role not in ROLES:
            raise ReviewError(f"'{role}' is no role; wanted one of {', '.join(ROLES)}.")
        giver = self._known(reviewers.c.id == by)
        if giver is None or not giver.may_manage:
            raise NotAllowedError("Only a manager may hand out roles.")
        if role == "manager" and any(i.id == reviewer and i.subject for i in self.reviewers()):
            raise NotAllowedError("Who logs in manages only where the settings name them.")
        others = [item for item in self.reviewers() if item.may_manage and item.id != reviewer]
        if role != "manager" and not others:
            raise NotAllowedError("Nobody could manage any more; make somebody a manager first.")
        return self._with_role(reviewer, role)

    def forget(self, reviewer: int, by: int, decisions_too: bool = False) -> None:
        """Forget a person: their name, login, ids, shares and notes, and their decisions if asked.

        Decisions that stay are nobody's by name: they belong to "Forgotten 1" and the like.

        Args:
            reviewer: Who is forgotten.
            by: Who asks: the person, or a manager.
            decisions_too: Whether the decisions go as well.

        Raises:
            NotAllowedError: Somebody else asks, or nobody could manage any more.
            ReviewError: There is no such person.
        """
        people = {item.id: item for item in self.reviewers()}
        if reviewer not in people:
            raise ReviewError(f"There is no reviewer {reviewer}.")
        if by != reviewer and (by not in people or not people[by].may_manage):
            raise NotAllowedError("Only a manager, or the person, may have somebody forgotten.")
        others = [item for item in people.values() if item.id != reviewer]
        if people[reviewer].may_manage and others and not any(i.may_manage for i in others):
            raise NotAllowedError("Nobody could manage any more; make somebody a manager first.")
        theirs = decisions.c.reviewer == reviewer
        with self.database.writing() as made:
            made.execute(delete(shares).where(shares.c.reviewer == reviewer))
            if decisions_too:
                made.execute(delete(standing).where(standing.c.reviewer == reviewer))
                made.execute(update(decisions).where(theirs).values(replaces=None))
                made.execute(delete(decisions).where(theirs))
                made.execute(delete(reviewers).where(reviewers.c.id == reviewer))
            else:
                made.execute(update(decisions).where(theirs).values(note=""))
                made.execute(
                    update(reviewers)
                    .where(reviewers.c.id == reviewer)
                    .values(
                        uid=uuid.uuid4().hex,
                        name=f"Forgotten {reviewer}",
                        name_key=f"forgotten {reviewer}",
                        subject="",
                        role="waiting",
                    )
                )
        self.database.frontiers.clear()
        self.database.kept.clear()

    def blind_collections(self) -> set[str]:
        """Names of the collections that are under blind review: nobody is shown their estimates."""
        query = select(collections.c.uid, collections.c.name).where(collections.c.removed == "")
        with self.database.reading() as found:
            marked = set(found.scalars(select(about.c.name).where(about.c.name.like("blind %"))))
            return {row.name for row in found.execute(query) if f"blind {row.uid}" in marked}

    def set_blind(self, collection: str, on: bool, by: int) -> None:
        """Begin or lift the blind review of a collection.

        Raises:
            NotAllowedError: `by` may not manage.
            ReviewError: There is no such collection.
        """
        giver = self._known(reviewers.c.id == by)
        if giver is None or not giver.may_manage:
            raise NotAllowedError("Only a manager may begin or lift a blind review.")
        wanted = (collections.c.name == collection) & (collections.c.removed == "")
        with self.database.writing() as made:
            uid = made.scalar(select(collections.c.uid).where(wanted))
            if uid is None:
                raise ReviewError(f"There is no collection '{collection}'.")
            row = {"name": f"blind {uid}", "value": rows.now()}
            if on:
                made.execute(self.database.insert(about).values(row).on_conflict_do_nothing())
            else:
                made.execute(delete(about).where(about.c.name == row["name"]))

    def _with_role(self, reviewer: int, role: Role) -> Reviewer:
        with self.database.writing() as made:
            made.execute(update(reviewers).where(reviewers.c.id == reviewer).values(role=role))
        found = self._known(reviewers.c.id == reviewer)
        if found is None:
            raise ReviewError(f"There is no reviewer {reviewer}.")
        return found

    def _known(self, condition: Any) -> Reviewer | None:
        with self.database.reading() as found:
            row = found.execute(select(reviewers).where(condition)).mappings().first()
        return None if row is None else rows.reviewer_of(row)

    def _made(self, made: Connection, name: str, subject: str, role: Role | None) -> Reviewer:
        """In a transaction that writes; somebody else may have been quicker."""
        wanted = reviewers.c.subject == subject if subject else _named(name)
        row = made.execute(select(reviewers).where(wanted)).mappings().first()
        if row is not None:
            return rows.reviewer_of(row)
        is_first = not made.scalar(select(func.count()).select_from(reviewers))
        spelt, number = name, 1
        while made.scalar(select(reviewers.c.id).where(_named(spelt))) is not None:
            number += 1
            spelt = f"{name} ({number})"
        values = {
            "uid": uuid.uuid4().hex,
            "name": spelt,
            "name_key": spelt.casefold(),
            "role": role or ("manager" if is_first else "reviewer"),
            "subject": subject,
            "created": rows.now(),
        }
        made.execute(self.database.insert(reviewers).values(values).on_conflict_do_nothing())
        found = made.execute(select(reviewers).where(wanted)).mappings().one()
        return rows.reviewer_of(found)


def _named(name: str) -> Any:
    return reviewers.c.name_key == name.casefold()

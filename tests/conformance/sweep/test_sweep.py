"""The sweep covers all of scikit-learn, and the estimators that most models use are right."""

from __future__ import annotations

import pytest
from builders import Recipe
from recipes import RECIPES
from trial import CLASSES, attempt

TOP = """
AdaBoostClassifier BaggingClassifier BernoulliNB CalibratedClassifierCV ColumnTransformer
CountVectorizer DecisionTreeClassifier DecisionTreeRegressor ElasticNet ExtraTreesClassifier
ExtraTreesRegressor FeatureUnion FunctionTransformer GaussianNB GradientBoostingClassifier
GradientBoostingRegressor GridSearchCV HistGradientBoostingClassifier HistGradientBoostingRegressor
IsolationForest KBinsDiscretizer KMeans KNeighborsClassifier KNeighborsRegressor Lasso
LinearDiscriminantAnalysis LinearRegression LinearSVC LogisticRegression MLPClassifier MLPRegressor
MinMaxScaler MultinomialNB OneHotEncoder OneVsRestClassifier OrdinalEncoder PCA Pipeline
PolynomialFeatures PowerTransformer QuantileTransformer RandomForestClassifier RandomForestRegressor
RandomizedSearchCV Ridge RobustScaler SGDClassifier SVC SVR SelectKBest SimpleImputer
StackingClassifier StandardScaler TargetEncoder TfidfVectorizer TransformedTargetRegressor
VotingClassifier
"""
FIRST = {recipe.estimator: recipe for recipe in reversed(RECIPES)}


def test_every_estimator_has_a_recipe() -> None:
    assert set(CLASSES) == {recipe.estimator for recipe in RECIPES}


@pytest.mark.parametrize("recipe", [FIRST[name] for name in TOP.split()], ids=TOP.split())
def test_common_estimator_is_right(recipe: Recipe) -> None:
    # GIVEN an estimator that most models use, fitted by its first recipe
    # WHEN its artifact is built and answers fresh rows
    outcome = attempt(recipe)

    # THEN it answers as the original
    assert outcome.status == "right", outcome.why
